"""Kernels on tensors; the only place they live, an oracle beside each."""
