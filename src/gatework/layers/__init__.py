"""Torch layers: any cell, also with attention or on pictures, and drop-ins for torch's own."""

from gatework.layers.attention import BahdanauAttention, LuongAttention
from gatework.layers.convolutional import ConvRecurrent
from gatework.layers.decoder import AttentiveDecoder
from gatework.layers.recurrent import Recurrent, RecurrentLayer
from gatework.layers.torch_compatible import GRU, LSTM, RNN

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AttentiveDecoder",
    "BahdanauAttention",
    "ConvRecurrent",
    "LuongAttention",
    "Recurrent",
    "RecurrentLayer",
]
