"""Norms kernels on tensors."""
