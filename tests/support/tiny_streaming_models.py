"""Streaming models of a few numbers for sherpa-onnx, whose words depend on all audio before them.

They count how loud the audio has been since their first sample: each time the count passes a
mark they say the next of eight words. The count is the state that goes from chunk to chunk. So
each word tells how much was heard: audio that is heard twice, left out or mixed with another
stream's gives other words. Nobody publishes a streaming model in a package; these have the
interfaces of real ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight")

_FEATURES = 80
_SILENT = -10.0
"""Mean feature of silence is about -16, of speech 0 and less."""

_MARK = 90.0
"""Loudness between two words: a few words a second of speech."""

_SAID_ONCE = -20 * np.diag([1.0] * len(WORDS) + [0.0]).astype(np.float32)
_SAID_ONCE[:, -1] = 4.0
"""What each last token adds: the same is not said again, and rather nothing than another."""

node = helper.make_node


def write_lstm_transducer(folder: Path, encoder_type: str = "lstm") -> None:
    """A transducer that hears nine frames at a time, four of them anew with the next ones."""
    _write_decoder_and_joiner(folder)
    _save(
        folder / "encoder.onnx",
        [
            node("Slice", ["c", "zero", "one", "two"], ["before_c"]),
            node("Squeeze", ["before_c", "zero"], ["before"]),
            *_count("x"),
            node("Unsqueeze", ["after", "zero"], ["next_c"]),
            node("Identity", ["h"], ["next_h"]),
            node("Identity", ["said"], ["encoder_out"]),
        ],
        inputs=[_real("x", "N", 9, _FEATURES), _real("h", 1, "N", 3), _real("c", 1, "N", 1)],
        outputs=[
            _real("encoder_out", "N", 2, len(WORDS) + 1),
            *(_real("next_h", 1, "N", 3), _real("next_c", 1, "N", 1)),
        ],
        window=_window(frames=9, step=4, chunks=2),
        model_type=encoder_type,
        num_encoder_layers=1,
        T=9,
        decode_chunk_len=8,
        rnn_hidden_size=1,
        d_model=3,
    )


def write_zipformer_transducer(folder: Path, **said: object) -> None:
    """A transducer with the caches of a zipformer: chunks of 16 frames, 64 to the left."""
    _write_decoder_and_joiner(folder)
    _write_zipformer(folder / "encoder.onnx", "encoder_out", said)


def write_zipformer_ctc(folder: Path) -> None:
    """The same as a CTC model of one file."""
    _write_tokens(folder)
    _write_zipformer(folder / "model.onnx", "log_probs", {})


def write_nemo_transducer(folder: Path) -> None:
    """A transducer with the caches of NeMo's streaming FastConformer; its blank comes last.

    It may say several words at a time, so its decoder knows what it has just said.
    """
    _write_tokens(folder, blank_last=True)
    size = len(WORDS) + 1
    scores = [node("Transpose", ["blank_last"], ["outputs"], perm=[0, 2, 1])]
    _write_nemo(folder / "encoder.onnx", _real("outputs", "N", size, 2), scores)
    states = {"states": (1, "N", 1), "more_states": (1, "N", 1)}
    _save(
        folder / "decoder.onnx",
        [
            node("Gather", ["said_once", "targets"], ["of_last"]),
            node("Transpose", ["of_last"], ["decoder_outputs"], perm=[0, 2, 1]),
            node("Identity", ["target_length"], ["lengths"]),
            *(node("Identity", [name], [f"next_{name}"]) for name in states),
        ],
        inputs=[
            helper.make_tensor_value_info("targets", TensorProto.INT32, ["N", 1]),
            helper.make_tensor_value_info("target_length", TensorProto.INT32, ["N"]),
            *(_real(name, *shape) for name, shape in states.items()),
        ],
        outputs=[
            _real("decoder_outputs", "N", size, 1),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, ["N"]),
            *(_real(f"next_{name}", *shape) for name, shape in states.items()),
        ],
        said_once=_SAID_ONCE,
    )
    _save(
        folder / "joiner.onnx",
        [
            node("Add", ["encoder_outputs", "decoder_outputs"], ["scores_of_each"]),
            node("Transpose", ["scores_of_each"], ["in_a_row"], perm=[0, 2, 1]),
            node("Unsqueeze", ["in_a_row", "one"], ["logits"]),
        ],
        inputs=[_real(f"{part}_outputs", "N", size, 1) for part in ("encoder", "decoder")],
        outputs=[_real("logits", "N", 1, 1, size)],
    )


def write_nemo_ctc(folder: Path) -> None:
    """The same as a CTC model of one file."""
    _write_tokens(folder, blank_last=True)
    logits = _real("logits", "N", 2, len(WORDS) + 1)
    _write_nemo(folder / "model.onnx", logits, [node("Identity", ["blank_last"], ["logits"])])


def write_wenet_ctc(folder: Path) -> None:
    """A CTC model with the caches of a streaming Conformer of WeNet; it knows no batches."""
    _write_tokens(folder, blank="<blank>")
    attention, convolution = (1, 1, 64, 8), (1, 1, 4, 2)
    _save(
        folder / "model.onnx",
        [
            node("ReduceMax", ["att_cache"], ["before_c"], axes=[1, 2, 3], keepdims=0),
            node("Unsqueeze", ["before_c", "one"], ["before"]),
            *_count("x"),
            node("Identity", ["said"], ["log_probs"]),
            node("Expand", ["after", "shape"], ["next_att_cache"]),
            node("Identity", ["cnn_cache"], ["next_cnn_cache"]),
        ],
        inputs=[
            _real("x", 1, 67, _FEATURES),
            _whole("offset", 1),
            _whole("required_cache_size", 1),
            _real("att_cache", *attention),
            _real("cnn_cache", *convolution),
            helper.make_tensor_value_info("att_mask", TensorProto.BOOL, [1, 1, 80]),
        ],
        outputs=[
            _real("log_probs", 1, 16, len(WORDS) + 1),
            _real("next_att_cache", *attention),
            _real("next_cnn_cache", *convolution),
        ],
        window=_window(frames=67, step=4, chunks=16),
        shape=np.array(attention),
        silent=np.array(_SILENT + 20.8, np.float32),  # it hears samples of 16 bits
        model_type="wenet_ctc",
        head=1,
        num_blocks=1,
        output_size=4,
        cnn_module_kernel=3,
        right_context=6,
        subsampling_factor=4,
        vocab_size=len(WORDS) + 1,
    )


def write_tone_ctc(folder: Path) -> None:
    """A CTC model with the interface of T-one: samples at 8 kHz, 300 ms at a time."""
    _write_tokens(folder)
    _save(
        folder / "model.onnx",
        [
            node("Cast", ["signal"], ["heard"], to=TensorProto.FLOAT),
            node("Abs", ["heard"], ["loud"]),
            node("Reshape", ["loud", "by_frames"], ["frames"]),
            node("Cast", ["state"], ["before"], to=TensorProto.FLOAT),
            node("ReduceMean", ["frames"], ["mean"], axes=[2], keepdims=0),
            node("Mul", ["mean", "quiet"], ["loudness"]),
            *_said(),
            node("Cast", ["after"], ["next_state"], to=TensorProto.FLOAT16),
            node("Identity", ["said"], ["log_probs"]),
        ],
        inputs=[
            helper.make_tensor_value_info("signal", TensorProto.INT32, ["N", 2400, 1]),
            helper.make_tensor_value_info("state", TensorProto.FLOAT16, ["N", 1]),
        ],
        outputs=[
            _real("log_probs", "N", 10, len(WORDS) + 1),
            helper.make_tensor_value_info("next_state", TensorProto.FLOAT16, ["N", 1]),
        ],
        by_frames=np.array([0, 10, 240]),
        quiet=np.array(0.01, np.float32),
        model_type="t-one",
        language="Russian",
        sample_rate=8000,
        frame_length_ms=300,
        state_dim=1,
    )


WRITERS = {
    "lstm": (write_lstm_transducer, "streaming_transducer"),
    "zipformer": (write_zipformer_transducer, "streaming_transducer"),
    "zipformer_ctc": (write_zipformer_ctc, "streaming_zipformer_ctc"),
    "nemo": (write_nemo_transducer, "streaming_transducer"),
    "nemo_ctc": (write_nemo_ctc, "streaming_nemo_ctc"),
    "wenet_ctc": (write_wenet_ctc, "streaming_wenet_ctc"),
    "tone": (write_tone_ctc, "tone_ctc"),
}
"""What writes each model, and the kind that it is."""


def _write_nemo(path: Path, output: Any, scores: Sequence[Any]) -> None:
    """25 frames at a time, of which nine come again with the next ones.

    Args:
        path: The file.
        output: What it puts out first.
        scores: What makes that of ``blank_last``.
    """
    caches = ("cache_last_channel", "cache_last_time")
    _save(
        path,
        [
            node("Transpose", ["audio_signal"], ["x"], perm=[0, 2, 1]),
            node("ReduceMax", ["cache_last_channel"], ["before_c"], axes=[1, 2, 3], keepdims=0),
            node("Unsqueeze", ["before_c", "one"], ["before"]),
            *_count("x"),
            node("Slice", ["said", "one", "most", "two"], ["scored"]),
            node("Slice", ["said", "zero", "one", "two"], ["blank"]),
            node("Concat", ["scored", "blank"], ["blank_last"], axis=2),
            *scores,
            node("Unsqueeze", ["after", "one"], ["after_one"]),
            node("Unsqueeze", ["after_one", "one"], ["cache_last_channel_next"]),
            node("Identity", ["cache_last_time"], ["cache_last_time_next"]),
            node("Add", ["cache_last_channel_len", "one"], ["cache_last_channel_next_len"]),
            node("Div", ["length", "eight"], ["encoded_lengths"]),
        ],
        inputs=[
            _real("audio_signal", "N", _FEATURES, 25),
            _whole("length", "N"),
            *(_real(name, "N", 1, 1, 1) for name in caches),
            _whole("cache_last_channel_len", "N"),
        ],
        outputs=[
            output,
            _whole("encoded_lengths", "N"),
            *(_real(f"{name}_next", "N", 1, 1, 1) for name in caches),
            _whole("cache_last_channel_next_len", "N"),
        ],
        window=_window(frames=25, step=8, chunks=2),
        mark=np.array(_MARK / 4, np.float32),  # NeMo's features are lower
        model_type="EncDecHybridRNNTCTCBPEModel",
        vocab_size=len(WORDS),
        window_size=25,
        chunk_shift=16,
        subsampling_factor=8,
        normalize_type="",
        pred_rnn_layers=1,
        pred_hidden=1,
        **{f"{name}_dim{number}": 1 for name in caches for number in (1, 2, 3)},
    )


def _write_zipformer(path: Path, output: str, said: dict[str, object]) -> None:
    """One layer: six caches, those of the embedding, and how many frames were heard."""
    caches = {
        "cached_key_0": (16, "N", 4),
        "cached_nonlin_attn_0": (1, "N", 16, 3),
        "cached_val1_0": (16, "N", 4),
        "cached_val2_0": (16, "N", 4),
        "cached_conv1_0": ("N", 4, 2),
        "cached_conv2_0": ("N", 4, 2),
        "embed_states": ("N", 128, 3, 19),
    }
    kept = [name for name in caches if name != "cached_key_0"]
    _save(
        path,
        [
            node("Slice", ["cached_key_0", "zero", "one", "zero"], ["key"]),
            node("Slice", ["key", "zero", "one", "two"], ["first"]),
            node("Squeeze", ["first", "zero"], ["before"]),
            *_count("x"),
            node("Identity", ["said"], [output]),
            node("Unsqueeze", ["after", "zero"], ["count"]),
            node("Shape", ["cached_key_0"], ["shape"]),
            node("Expand", ["count", "shape"], ["new_cached_key_0"]),
            *(node("Identity", [name], [f"new_{name}"]) for name in kept),
            node("Add", ["processed_lens", "eight"], ["new_processed_lens"]),
        ],
        inputs=[
            _real("x", "N", 45, _FEATURES),
            *(_real(name, *shape) for name, shape in caches.items()),
            _whole("processed_lens", "N"),
        ],
        outputs=[
            _real(output, "N", 8, len(WORDS) + 1),
            *(_real(f"new_{name}", *shape) for name, shape in caches.items()),
            _whole("new_processed_lens", "N"),
        ],
        window=_window(frames=45, step=4, chunks=8),
        **{
            "model_type": "zipformer2",
            "T": 45,
            "decode_chunk_len": 32,
            "encoder_dims": 4,
            "query_head_dims": 2,
            "value_head_dims": 2,
            "num_heads": 2,
            "num_encoder_layers": 1,
            "cnn_module_kernels": 5,
            "left_context_len": 16,
        }
        | said,
    )


def _window(frames: int, step: int, chunks: int) -> Any:
    """What of a chunk's frames makes each output: its own, and as many behind as there are."""
    window = np.zeros((frames, chunks), np.float32)
    ahead = frames - step * chunks
    for number in range(chunks):
        window[number * step : (number + 1) * step + ahead, number] = step / (step + ahead)
    return window


def _count(heard: str) -> list[Any]:
    return [
        node("ReduceMean", [heard], ["mean"], axes=[2], keepdims=0),
        node("Sub", ["mean", "silent"], ["above"]),
        node("Relu", ["above"], ["loud"]),
        node("MatMul", ["loud", "window"], ["loudness"]),
        *_said(),
    ]


def _said() -> list[Any]:
    """From the loudness of each output, and the count before it, to scores of blank and words."""
    return [
        node("CumSum", ["loudness", "one"], ["sum"]),
        node("Add", ["sum", "before"], ["count_after"]),
        node("Sub", ["count_after", "loudness"], ["count_before"]),
        node("Slice", ["count_after", "last", "most", "one"], ["after"]),
        *(node("Div", [f"count_{when}", "mark"], [f"marks_{when}"]) for when in _WHEN),
        *(node("Floor", [f"marks_{when}"], [f"passed_{when}"]) for when in _WHEN),
        node("Greater", ["passed_after", "passed_before"], ["speaks"]),
        node("Sub", ["passed_after", "one_mark"], ["number"]),
        node("Mod", ["number", "words"], ["word"], fmod=1),
        node("Add", ["word", "one_mark"], ["token"]),
        node("Cast", ["speaks"], ["spoken"], to=TensorProto.FLOAT),
        node("Mul", ["token", "spoken"], ["chosen"]),
        node("Cast", ["chosen"], ["index"], to=TensorProto.INT64),
        node("OneHot", ["index", "size", "scores"], ["said"], axis=-1),
    ]


_WHEN = ("before", "after")


def _write_decoder_and_joiner(folder: Path) -> None:
    _write_tokens(folder)
    size = len(WORDS) + 1
    _save(
        folder / "decoder.onnx",
        [
            node("Cast", ["y"], ["numbers"], to=TensorProto.FLOAT),
            node("MatMul", ["numbers", "nothing"], ["decoder_out"]),
        ],
        inputs=[_whole("y", "N", 2)],
        outputs=[_real("decoder_out", "N", size)],
        nothing=np.zeros((2, size), np.float32),
        vocab_size=size,
        context_size=2,
    )
    _save(
        folder / "joiner.onnx",
        [node("Add", ["encoder_out", "decoder_out"], ["logit"])],
        inputs=[_real("encoder_out", "N", size), _real("decoder_out", "N", size)],
        outputs=[_real("logit", "N", size)],
        joiner_dim=size,
    )


def _write_tokens(folder: Path, *, blank: str = "<blk>", blank_last: bool = False) -> None:
    words = [f"▁{word}" for word in WORDS]
    tokens = [*words, blank] if blank_last else [blank, *words]
    lines = (f"{token} {number}\n" for number, token in enumerate(tokens))
    (folder / "tokens.txt").write_text("".join(lines), encoding="utf-8")


def _save(
    path: Path, nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], **more: Any
) -> None:
    arrays = {name: value for name, value in more.items() if isinstance(value, np.ndarray)}
    said = {name: str(value) for name, value in more.items() if name not in arrays}
    constants = {
        "mark": np.array(_MARK, np.float32),
        "one_mark": np.array(1.0, np.float32),
        "words": np.array(len(WORDS), np.float32),
        "size": np.array(len(WORDS) + 1),
        "scores": np.array([0.0, 9.0], np.float32),
        "silent": np.array(_SILENT, np.float32),
        "zero": np.array([0]),
        "one": np.array([1]),
        "two": np.array([2]),
        "eight": np.array([8]),
        "last": np.array([-1]),
        "most": np.array([10**9]),
        **arrays,
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
    helper.set_model_props(model, said)
    onnx.save(model, str(path))


def _real(name: str, *shape: object) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def _whole(name: str, *shape: object) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.INT64, list(shape))
