"""ONNX Runtime: the recurrent operators of the standard, forward only."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatework.bench.case import Case, has_torch_layer
from gatework.bench.side import FORWARD, Results, Runner, Side
from gatework.graph import Cell

ORDERS = {"gru": (1, 0, 2), "lstm": (0, 3, 1, 2), "rnn": (0,), "rnn_relu": (0,)}
"""Torch's positions of the gates in the standard's order: z r n of r z n, and i o f g of i f g o."""

OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "gru": ("GRU", {"linear_before_reset": 1}),
    "lstm": ("LSTM", {}),
    "rnn": ("RNN", {"activations": ["Tanh"]}),
    "rnn_relu": ("RNN", {"activations": ["Relu"]}),
}
"""The operator, and the attributes that make it torch's cell."""

_OPSET, _IR = 14, 8


class Onnx(Side):
    """A session of ONNX Runtime with one recurrent operator."""

    name = "onnx"
    title = "ONNX Runtime"
    packages = ("onnx", "onnxruntime")

    def refusal(self, cell: Cell, dtype: str) -> str:
        """It has torch's cells, in single precision."""
        if not has_torch_layer(cell):
            return "the ONNX standard has no such operator"
        return "" if dtype == "float32" else f"it does not run them in {dtype}"

    def build(self, case: Case) -> Runner:
        """A session with the weights inside, on the threads of the case."""
        runtime = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = case.threads, 1
        # Its threads would go on spinning for a while after a run, on the cores of whoever is timed next.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        session = runtime.InferenceSession(model(case), options, providers=["CPUExecutionProvider"])
        given = {"x": case.x.numpy()}

        def forward() -> Any:
            return session.run(["Y"], given)[0]

        return Runner("onnxruntime", {FORWARD: forward}, lambda: Results(torch.from_numpy(forward()[:, 0]), {}))


def model(case: Case) -> bytes:
    """The case as a serialised model: `x` is (T, B, N), `Y` is (T, 1, B, H)."""
    helper: Any = importlib.import_module("onnx.helper")
    numbers: Any = importlib.import_module("onnx.numpy_helper")
    kind = importlib.import_module("onnx").TensorProto.FLOAT
    operator, attributes = OPERATORS[case.cell.name]
    W, U, b_ih, b_hh = (_reordered(weight, ORDERS[case.cell.name]) for weight in case.weights.values())
    stored = {"W": W, "R": U, "b": np.concatenate([b_ih, b_hh])}
    shape = case.shape
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", *stored], ["Y"], hidden_size=shape.H, **attributes)],
        case.cell.name,
        [helper.make_tensor_value_info("x", kind, [shape.T, shape.B, shape.N])],
        [helper.make_tensor_value_info("Y", kind, [shape.T, 1, shape.B, shape.H])],
        [numbers.from_array(value[None], name) for name, value in stored.items()],
    )
    opset = helper.make_opsetid("", _OPSET)
    made = helper.make_model(graph, opset_imports=[opset], ir_version=_IR)
    serialised = made.SerializeToString()
    assert isinstance(serialised, bytes)
    return serialised


def _reordered(weight: Tensor, order: tuple[int, ...]) -> Any:
    """The blocks of rows in another order, as a numpy array."""
    blocks = weight.chunk(len(order))
    return torch.cat([blocks[k] for k in order]).numpy()
