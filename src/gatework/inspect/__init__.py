"""Read-only views of a trained model."""

from gatework.inspect.gates import record_gates

__all__ = ["record_gates"]
