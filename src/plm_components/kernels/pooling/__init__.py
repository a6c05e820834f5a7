"""Pooling kernels on tensors."""
