"""Honest timing for kernels: no wrong answer gets a time, and every time has its conditions."""
