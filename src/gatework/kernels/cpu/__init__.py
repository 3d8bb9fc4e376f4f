"""Graphs compiled for the processor: LLVM IR becomes machine code in memory, and on disk for the next process."""
