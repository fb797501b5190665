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
        streaming: Whether the model hears audio as it comes.
        word_times: Whether it tells when each token was said.
        interims: Whether it is quick enough for them.
    """

    factory: tuple[str, str]
    files: Mapping[str, str]
    options: tuple[tuple[str, str], ...] = ()
    streaming: bool = False
    word_times: bool = True
    interims: bool = True


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
    "sense_voice_ctc": "sense_voice",
    "paraformer": "paraformer",
}
"""Kinds of models of one file, by what the file calls itself."""

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
        encoder = open_session(find_file(folder, "encoder"))
        return "streaming_transducer" if _has_state(encoder) else "transducer"
    if _find(folder, "decoder"):
        if _find(folder, "decoder_model_merged"):
            return "moonshine"
        return _known(folder, "whisper" if "whisper" in _model_type(folder, "encoder") else "")
    kind = _BY_MODEL_TYPE.get(_model_type(folder, ""), "")
    if kind == "zipformer_ctc" and _has_state(open_session(find_file(folder, ""))):
        kind = "streaming_zipformer_ctc"
    return _known(folder, kind)


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


def _model_type(folder: Path, part: str) -> str:
    metadata = open_session(find_file(folder, part)).get_modelmeta().custom_metadata_map
    return str(metadata.get("model_type", ""))


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
