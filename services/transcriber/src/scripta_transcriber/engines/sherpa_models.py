"""Which of sherpa-onnx's many kinds of models a folder holds, and with which files.

A kind is recognised by files as published models have them, and by what they say of themselves.
A ``scripta.json`` beside them may say it instead, and which languages the model knows::

    {"kind": "zipformer_ctc", "languages": ["en"]}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnxruntime as ort
from pydantic import BaseModel, ConfigDict, ValidationError

from scripta_common.wire import SAMPLE_RATE
from scripta_transcriber.engines.base import EngineError
from scripta_transcriber.engines.onnx import open_session

CARD: Final = "scripta.json"


class Card(BaseModel):
    """What ``scripta.json`` says of a model.

    Attributes:
        kind: Its kind; empty to recognise it.
        languages: BCP-47 primary tags that it knows; empty for any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str = ""
    languages: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Card:
        """Returns what the card in a folder says; an empty one where there is none.

        Raises:
            EngineError: It can not be read.
        """
        path = folder / CARD
        try:
            return cls.model_validate_json(path.read_bytes()) if path.exists() else cls()
        except OSError as error:
            raise EngineError(f"{path} can not be read: {error}") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise EngineError(f"{path} can not be read: {first['msg']} {first['loc']}") from error


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of model.

    Attributes:
        factory: What of sherpa-onnx makes a recogniser: class and method.
        files: Its arguments that are files, and what stands in the name of each; nothing where
            there is one file only.
        options: Its other arguments.
        streaming: Whether the model hears audio once, as it comes.
        word_times: Whether it tells when each token was said.
        interims: Whether it is quick enough for them.
        rate: Samples a second that a streaming model hears, 16 or 8 kHz.
        silence_before: Seconds of silence that a streaming model wants before the first word.
    """

    factory: tuple[str, str]
    files: Mapping[str, str]
    options: tuple[tuple[str, str], ...] = ()
    streaming: bool = False
    word_times: bool = True
    interims: bool = True
    rate: int = SAMPLE_RATE
    silence_before: float = 0.0


def _offline(method: str) -> tuple[str, str]:
    return "OfflineRecognizer", method


def _online(method: str) -> tuple[str, str]:
    return "OnlineRecognizer", method


_PAIR: Final = {"encoder": "encoder", "decoder": "decoder"}
_TRIPLE: Final = {**_PAIR, "joiner": "joiner"}
_SINGLE: Final = {"model": ""}
KINDS: Final[Mapping[str, Kind]] = {
    "transducer": Kind(_offline("from_transducer"), _TRIPLE, (("model_type", ""),)),
    "streaming_transducer": Kind(_online("from_transducer"), _TRIPLE, streaming=True),
    "nemo_ctc": Kind(_offline("from_nemo_ctc"), _SINGLE),
    "wenet_ctc": Kind(_offline("from_wenet_ctc"), _SINGLE),
    "zipformer_ctc": Kind(_offline("from_zipformer_ctc"), _SINGLE),
    "streaming_zipformer_ctc": Kind(_online("from_zipformer2_ctc"), _SINGLE, streaming=True),
    "streaming_wenet_ctc": Kind(_online("from_wenet_ctc"), _SINGLE, streaming=True),
    # It tells times as if the model's frames were half as long as they are.
    "streaming_nemo_ctc": Kind(_online("from_nemo_ctc"), _SINGLE, streaming=True, word_times=False),
    "tone_ctc": Kind(
        _online("from_t_one_ctc"),
        _SINGLE,
        streaming=True,
        rate=SAMPLE_RATE // 2,
        silence_before=0.3,
    ),
    "sense_voice": Kind(_offline("from_sense_voice"), _SINGLE),
    "paraformer": Kind(_offline("from_paraformer"), {"paraformer": ""}, word_times=False),
    "whisper": Kind(_offline("from_whisper"), _PAIR, word_times=False, interims=False),
    "moonshine": Kind(_offline("from_moonshine_v2"), _PAIR, word_times=False),
}

_BY_MODEL_TYPE: Final = {
    "EncDecCTCModel": "nemo_ctc",
    "EncDecCTCModelBPE": "nemo_ctc",
    "EncDecHybridRNNTCTCBPEModel": "nemo_ctc",
    "wenet_ctc": "wenet_ctc",
    "zipformer2_ctc": "zipformer_ctc",
    "t-one": "tone_ctc",
    "sense_voice_ctc": "sense_voice",
    "paraformer": "paraformer",
}
"""Kinds of models of one file, by what the file calls itself."""

_STREAMING_BY_MODEL_TYPE: Final = {
    "zipformer2": "streaming_zipformer_ctc",
    "zipformer2_ctc": "streaming_zipformer_ctc",
    "EncDecCTCModelBPE": "streaming_nemo_ctc",
    "EncDecHybridRNNTCTCBPEModel": "streaming_nemo_ctc",
    "wenet_ctc": "streaming_wenet_ctc",
    "t-one": "tone_ctc",
}
"""The same of models that carry a state from one chunk to the next."""

_STREAMING_ENCODERS: Final = ("conformer", "ebranchformer", "lstm", "zipformer", "zipformer2")
"""What encoders of streaming transducers call themselves; those of NeMo do not say."""

_INPUTS_WITHOUT_STATE: Final = 2
"""A model that hears all at once has features and their number; a streaming one has more."""


def recognise(folder: Path) -> str:
    """Returns the kind of the model in a folder.

    Reads the models' headers, which takes as long as loading them.

    Raises:
        EngineError: There is none, or it is of no kind that is known here.
    """
    said = Card.read(folder).kind
    if said:
        return said
    if _find(folder, "joiner"):
        return _transducer(folder)
    if _find(folder, "decoder"):
        return _pair(folder)
    model = open_session(find_file(folder, ""))
    kinds = _STREAMING_BY_MODEL_TYPE if _has_state(model) else _BY_MODEL_TYPE
    return _known(folder, kinds.get(_model_type(model), ""))


def _transducer(folder: Path) -> str:
    encoder = open_session(find_file(folder, "encoder"))
    if not _has_state(encoder):
        return "transducer"
    nemo = len(open_session(find_file(folder, "decoder")).get_outputs()) > 1
    model_type = _model_type(encoder)
    if not nemo and model_type not in _STREAMING_ENCODERS:
        known = ", ".join(_STREAMING_ENCODERS)
        raise EngineError(
            f"{folder} has a streaming encoder of the type {model_type!r}, which sherpa-onnx does "
            f"not run: it runs {known} and those of NeMo. Export the model anew, with its metadata"
        )
    return "streaming_transducer"


def _pair(folder: Path) -> str:
    """Returns the kind of a model that has an encoder and a decoder."""
    if _find(folder, "decoder_model_merged"):
        return "moonshine"
    model_type = _model_type(open_session(find_file(folder, "encoder")))
    if model_type == "paraformer":
        raise EngineError(
            f"{folder} has a streaming paraformer, which is not supported: use a streaming "
            "transducer or CTC model, or an offline paraformer"
        )
    return _known(folder, "whisper" if "whisper" in model_type else "")


def arguments(folder: Path, kind: str) -> dict[str, str]:
    """Returns what sherpa-onnx is to be given for the model in a folder.

    Raises:
        EngineError: There is no such kind, or a file of it is missing.
    """
    if kind not in KINDS:
        known = ", ".join(sorted(KINDS))
        raise EngineError(f"{folder / CARD} says kind {kind!r}: known are {known}")
    files = {name: str(find_file(folder, part)) for name, part in KINDS[kind].files.items()}
    tokens = sorted(folder.glob("*tokens.txt"))
    if not tokens:
        raise EngineError(_lacking(folder, "tokens.txt"))
    return {**files, "tokens": str(tokens[0]), **dict(KINDS[kind].options)}


def find_file(folder: Path, part: str) -> Path:
    """Returns the model file with ``part`` in its name, the quantised one if there are two.

    Raises:
        EngineError: There is none.
    """
    found = _find(folder, part)
    if not found:
        raise EngineError(_lacking(folder, f"{part or 'model'}*.onnx"))
    return found[0]


def _find(folder: Path, part: str) -> list[Path]:
    found = [
        path for path in folder.iterdir() if path.suffix in (".onnx", ".ort") and part in path.name
    ]
    return sorted(found, key=lambda path: ("int8" not in path.name, path.name))


def _has_state(session: ort.InferenceSession) -> bool:
    return len(session.get_inputs()) > _INPUTS_WITHOUT_STATE


def _model_type(session: ort.InferenceSession) -> str:
    return str(session.get_modelmeta().custom_metadata_map.get("model_type", ""))


def _known(folder: Path, kind: str) -> str:
    if not kind:
        known = ", ".join(sorted(KINDS))
        raise EngineError(
            f"the kind of the model in {folder} is not known: write {CARD} beside it with "
            f'{{"kind": …}}, one of {known}'
        )
    return kind


def _lacking(folder: Path, what: str) -> str:
    return (
        f"{folder} has no {what}: put a model for sherpa-onnx there, all its files as published, "
        "or set MODEL to the folder that has it"
    )
