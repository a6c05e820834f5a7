"""Rotary kernels on tensors."""
