"""Torch layers: any cell, and drop-ins for torch's own."""

from gatework.layers.convolutional import ConvRecurrent
from gatework.layers.recurrent import Recurrent, RecurrentLayer
from gatework.layers.torch_compatible import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN", "ConvRecurrent", "Recurrent", "RecurrentLayer"]
