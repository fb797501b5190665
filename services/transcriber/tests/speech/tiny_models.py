"""Models of a few numbers for sherpa-onnx: they say "hey" where the audio gets loud.

Nobody publishes a transducer in a package; these have the interfaces of real ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_FEATURES = 80
_STEP = 4
"""Frames of 10 ms that become one of the model's."""

_LOUD = -8.0
"""Mean feature from which a frame is loud; silence has about -16, speech 0 and less."""

_WEIGHTS = np.array([[0.0, 1.0, 0.0]] * _FEATURES, np.float32) / _FEATURES
_BIAS = np.array([0.0, -_LOUD, -100.0], np.float32)
_SAID_ONCE = np.array([[0, 0, 0], [0, -200, 0], [0, 0, 0]], np.float32)
"""What each last token adds: after "hey" it is not said again."""

node = helper.make_node


def write_ctc(folder: Path) -> None:
    """An offline CTC model of one file."""
    _write_tokens(folder)
    hears = [*_every_fourth("x", "l"), node("LogSoftmax", ["l"], ["log_probs"], axis=-1)]
    _save(
        folder / "model.onnx",
        [*hears, node("Div", ["x_lens", "step"], ["log_probs_len"])],
        inputs=[_real("x", "N", "T", _FEATURES), _whole("x_lens", "N")],
        outputs=[_real("log_probs", "N", "U", 3), _whole("log_probs_len", "N")],
        model_type="zipformer2_ctc",
        subsampling_factor=_STEP,
    )


def write_transducer(folder: Path) -> None:
    """An offline transducer."""
    _write_decoder_and_joiner(folder)
    _save(
        folder / "encoder.onnx",
        [*_every_fourth("x", "encoder_out"), node("Div", ["x_lens", "step"], ["encoder_out_lens"])],
        inputs=[_real("x", "N", "T", _FEATURES), _whole("x_lens", "N")],
        outputs=[_real("encoder_out", "N", "U", 3), _whole("encoder_out_lens", "N")],
        model_type="zipformer2",
    )


def write_streaming_transducer(folder: Path) -> None:
    """A transducer that hears eight frames at a time and carries a state."""
    _write_decoder_and_joiner(folder)
    states = [node("Identity", [name], [f"next_{name}"]) for name in ("h", "c")]
    _save(
        folder / "encoder.onnx",
        [*_every_fourth("x", "encoder_out"), *states],
        inputs=[_real("x", "N", 8, _FEATURES), _real("h", 1, "N", 3), _real("c", 1, "N", 2)],
        outputs=[
            _real("encoder_out", "N", 2, 3),
            *(_real("next_h", 1, "N", 3), _real("next_c", 1, "N", 2)),
        ],
        model_type="lstm",
        num_encoder_layers=1,
        T=8,
        decode_chunk_len=8,
        rnn_hidden_size=2,
        d_model=3,
    )


def _write_decoder_and_joiner(folder: Path) -> None:
    _write_tokens(folder)
    _save(
        folder / "decoder.onnx",
        [
            node("Slice", ["y", "one", "two", "one"], ["last"]),
            node("Squeeze", ["last", "one"], ["flat"]),
            node("Gather", ["said_once", "flat"], ["decoder_out"]),
        ],
        inputs=[_whole("y", "N", 2)],
        outputs=[_real("decoder_out", "N", 3)],
        vocab_size=3,
        context_size=2,
    )
    _save(
        folder / "joiner.onnx",
        [node("Add", ["encoder_out", "decoder_out"], ["logit"])],
        inputs=[_real("encoder_out", "N", 3), _real("decoder_out", "N", 3)],
        outputs=[_real("logit", "N", 3)],
        joiner_dim=3,
    )


def _write_tokens(folder: Path) -> None:
    (folder / "tokens.txt").write_text("<blk> 0\n▁hey 1\n! 2\n", encoding="utf-8")


def _every_fourth(heard: str, said: str) -> list[Any]:
    return [
        node("Slice", [heard, "zero", "most", "one", "step"], ["some"]),
        node("MatMul", ["some", "weights"], ["loudness"]),
        node("Add", ["loudness", "bias"], [said]),
    ]


def _save(
    path: Path, nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], **said: object
) -> None:
    constants = {
        "weights": _WEIGHTS,
        "bias": _BIAS,
        "said_once": _SAID_ONCE,
        "zero": np.array([0]),
        "one": np.array([1]),
        "two": np.array([2]),
        "step": np.array([_STEP]),
        "most": np.array([10**9]),
    }
    used = {name for each in nodes for name in each.input}
    graph = helper.make_graph(
        list(nodes),
        path.stem,
        list(inputs),
        list(outputs),
        [numpy_helper.from_array(value, n) for n, value in constants.items() if n in used],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    helper.set_model_props(model, {"vocab_size": "3"} | {k: str(v) for k, v in said.items()})
    onnx.save(model, str(path))


def _real(name: str, *shape: object) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def _whole(name: str, *shape: object) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.INT64, list(shape))
