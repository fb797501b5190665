"""Writes graphs for onnxruntime, node by node."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

OWN: Final = "com.microsoft"
"""Domain of onnxruntime's own operators."""

_OPSET: Final = 17
_IR_VERSION: Final = 8


class Graph:
    """A graph that grows; values are known by their names.

    Attributes:
        inputs: Names and shapes of what it takes; a name as dimension varies.
        outputs: The same of what it gives.
    """

    def __init__(self) -> None:
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._numbers = itertools.count()

    def take(self, name: str, shape: Sequence[int | str], of: type = np.float32) -> str:
        """Adds an input and returns its name."""
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(of))
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def give(self, name: str, shape: Sequence[int | str]) -> str:
        """Makes the value of this name an output and returns the name."""
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def constant(self, array: npt.ArrayLike) -> str:
        """Adds a constant and returns its name."""
        name = f"constant{next(self._numbers)}"
        whole = np.ascontiguousarray(array).reshape(np.shape(array))
        self._constants.append(numpy_helper.from_array(whole, name))
        return name

    def node(self, op: str, *inputs: str, own: bool = False, **attributes: Any) -> str:
        """Adds a node with one output and returns its name.

        Args:
            op: The operator.
            inputs: Names of what it takes; empty for what is left out.
            own: Whether it is one of onnxruntime's own.
            attributes: The operator's.
        """
        (output,) = self.nodes(op, *inputs, outputs=1, own=own, **attributes)
        return output

    def nodes(
        self,
        op: str,
        *inputs: str,
        outputs: int | Sequence[str],
        own: bool = False,
        **attributes: Any,
    ) -> Sequence[str]:
        """Adds a node with some outputs, or with outputs of these names; returns the names."""
        if isinstance(outputs, int):
            outputs = [f"value{next(self._numbers)}" for _ in range(outputs)]
        domain = OWN if own else ""
        self._nodes.append(helper.make_node(op, inputs, outputs, domain=domain, **attributes))
        return outputs

    def serialize(self) -> bytes:
        """Returns the model."""
        graph = helper.make_graph(self._nodes, "graph", self.inputs, self.outputs, self._constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(OWN, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        written: bytes = model.SerializeToString()
        return written
