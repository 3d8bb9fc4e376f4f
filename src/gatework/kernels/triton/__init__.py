"""Kernels for GPUs, in Triton, from the same plan as those for processors."""
