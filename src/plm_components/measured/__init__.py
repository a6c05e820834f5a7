"""Measured tables: which part passed the gate on which hardware, and how fast it was. No torch."""
