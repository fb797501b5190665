"""The weights of Moonshine, taken out of its published files (onnxruntime's own format, ``.ort``).

Tensors have no telling names there, so each is asked for by the node that uses it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs.InferenceSession import (
    InferenceSession,
)
from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs.TensorTypeAndShape import (
    TensorTypeAndShape,
)

from scripta_transcriber.engines.base import EngineError

Array = npt.NDArray[Any]
T = TypeVar("T")

_MAGIC: Final = slice(4, 8)
_TYPES: Final = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64}
"""By the numbers of ONNX's ``TensorProto.DataType``."""


@dataclass(frozen=True, slots=True)
class Quantized:
    """A matrix of bytes, as it was quantised: ``scale * (values - zero_point)``.

    Attributes:
        values: [inputs, outputs], 8 bits each.
        scale: [outputs] float32.
        zero_point: [outputs], of the same type as the values.
    """

    values: Array
    scale: Array
    zero_point: Array

    def beside(self, *others: Quantized) -> Quantized:
        """Returns one matrix that does the work of several on the same input."""
        parts = (self, *others)
        return Quantized(
            np.concatenate([part.values for part in parts], axis=1),
            np.concatenate([part.scale for part in parts]),
            np.concatenate([part.zero_point for part in parts]),
        )

    def signed(self) -> Quantized:
        """Returns the same matrix with signed bytes: other kernels, the same sums."""
        return Quantized(_signed(self.values), self.scale, _signed(self.zero_point))

    def unpacked(self) -> npt.NDArray[np.float32]:
        """Returns the numbers that the bytes stand for."""
        offset = self.values.astype(np.float32) - self.zero_point.astype(np.float32)
        return offset * self.scale


class Weights:
    """What one model file holds.

    Args:
        path: The file.

    Raises:
        EngineError: It is missing, broken, or of another kind.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tensors: dict[str, Array] = {}
        self._inputs: dict[str, list[str]] = {}
        self._shapes: dict[str, list[int]] = {}
        try:
            data = path.read_bytes()
            _check_format(data)
            self._read(InferenceSession.GetRootAs(data, 0).Model().Graph())
        except Exception as error:  # whatever the parser trips over in a broken file
            raise EngineError(f"{path} can not be read: {error}; restore the file") from error

    def tensor(self, node: str, place: int = 1) -> Array:
        """Returns what a node takes as its input number ``place``.

        Raises:
            EngineError: There is no such node.
        """
        return self._tensor(self._input(node, place))

    def matrix(self, node: str) -> Quantized:
        """Returns the quantised matrix by which a node multiplies."""
        name = self._input(node, 1)
        values, base = self._tensor(name), name.removesuffix("_quantized")
        outputs = values.shape[1]
        return Quantized(
            values,
            np.repeat(self._tensor(f"{base}_scale"), outputs),
            np.repeat(self._tensor(f"{base}_zero_point"), outputs),
        )

    def shape(self, name: str) -> list[int]:
        """Returns the shape of an input of the whole model; dimensions that vary are 0."""
        return self._known(self._shapes, name)

    def count(self, pattern: str) -> int:
        """Returns how many nodes have names that match."""
        return sum(re.fullmatch(pattern, name) is not None for name in self._inputs)

    def _input(self, node: str, place: int) -> str:
        inputs = self._known(self._inputs, node)
        if len(inputs) <= place:
            raise EngineError(f"{self._path} is no Moonshine model: {node} has no input {place}")
        return inputs[place]

    def _tensor(self, name: str) -> Array:
        return self._known(self._tensors, name)

    def _known(self, table: Mapping[str, T], name: str) -> T:
        try:
            return table[name]
        except KeyError:
            raise EngineError(f"{self._path} is no Moonshine model: it has no {name}") from None

    def _read(self, graph: Any) -> None:
        for i in range(graph.InitializersLength()):
            tensor = graph.Initializers(i)
            if kind := _TYPES.get(tensor.DataType()):
                shape = [tensor.Dims(j) for j in range(tensor.DimsLength())]
                raw = np.asarray(tensor.RawDataAsNumpy(), dtype=np.uint8)
                self._tensors[tensor.Name().decode()] = raw.view(kind).reshape(shape)
        for i in range(graph.NodeArgsLength()):
            value = graph.NodeArgs(i)
            self._shapes[value.Name().decode()] = _shape(value)
        for i in range(graph.NodesLength()):
            node = graph.Nodes(i)
            inputs = [node.Inputs(j).decode() for j in range(node.InputsLength())]
            self._inputs[node.Name().decode()] = inputs
            for j in range(node.AttributesLength()):
                if branch := node.Attributes(j).G():
                    self._read(branch)


def _check_format(data: bytes) -> None:
    if data[_MAGIC] != b"ORTM":
        raise ValueError("it is not in the format of onnxruntime")


def _shape(value: Any) -> list[int]:
    table = value.Type().Value() if value.Type() else None
    if table is None:
        return []
    tensor = TensorTypeAndShape()
    tensor.Init(table.Bytes, table.Pos)
    shape = tensor.Shape()
    return [shape.Dim(j).Value().DimValue() for j in range(shape.DimLength())] if shape else []


def _signed(unsigned: Array) -> Array:
    return (unsigned ^ 0x80).view(np.int8)
