"""Attention kernels on tensors."""
