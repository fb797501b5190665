"""Moonshine for sherpa-onnx: the files of the package, and its tokens as sherpa-onnx wants them."""

from __future__ import annotations

import base64
from pathlib import Path

from scripta_transcriber.engines.moonshine import DISTRIBUTION
from scripta_transcriber.engines.onnx import packaged_path
from scripta_transcriber.engines.tokens import Vocabulary


def write_sherpa_moonshine(folder: Path) -> Path:
    """Returns ``folder`` with the model in it: a real one of those that hear all at once."""
    packaged = packaged_path("moonshine_voice", DISTRIBUTION, "assets/tiny-en")
    for name in ("encoder_model.ort", "decoder_model_merged.ort"):
        (folder / name).symlink_to(packaged / name)
    pieces = Vocabulary.read(packaged / "tokenizer.bin")._pieces
    lines = (f"{base64.b64encode(piece).decode()}\t{at}\n" for at, piece in enumerate(pieces))
    (folder / "tokens.txt").write_text("".join(lines), encoding="ascii")
    (folder / "scripta.json").write_text('{"languages": ["en"]}')
    return folder
