"""What is learned: forecasts of a series."""

from gatework.tasks.model import Model, load_model

__all__ = ["Model", "load_model"]
