"""The vocabulary file and the end of loops."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripta_transcriber.engines.base import EngineError
from scripta_transcriber.engines.moonshine import DISTRIBUTION
from scripta_transcriber.engines.onnx import packaged_path
from scripta_transcriber.engines.repetition import cut_loop, loop_length
from scripta_transcriber.engines.tokens import Vocabulary

pytestmark = pytest.mark.unit

CONTROL = [b"<unk>", b"<s>", b"</s>"]


def packed(pieces: list[bytes]) -> bytes:
    data = b""
    for piece in pieces:
        length = len(piece)
        size = bytes([length]) if length < 128 else bytes([128 + length % 128, length // 128])
        data += size + piece
    return data


def test_packaged_vocabulary_has_a_text_for_every_token():
    path = packaged_path("moonshine_voice", DISTRIBUTION, "assets/tiny-en/tokenizer.bin")
    assert len(Vocabulary.read(path)) == 32_768


def test_text_is_joined_at_spaces_and_bytes(tmp_path: Path):
    path = tmp_path / "tokenizer.bin"
    pieces = [*CONTROL, "▁caf".encode(), b"\xc3", b"\xa9", "▁".encode(), b"x" * 300]
    path.write_bytes(packed(pieces))
    vocabulary = Vocabulary.read(path)
    assert vocabulary.text([1, 3, 4, 5, 6, 6, 7, 2]) == "café " + "x" * 300
    assert vocabulary.text([3, 4]) == "caf"
    assert vocabulary.text([]) == ""


@pytest.mark.parametrize("data", [b"", b"\x05<un", b"\x85", packed(CONTROL)])
def test_file_that_is_cut_off_is_refused(tmp_path: Path, data: bytes):
    path = tmp_path / "tokenizer.bin"
    path.write_bytes(data)
    with pytest.raises(EngineError, match=r"tokenizer\.bin cannot be read"):
        Vocabulary.read(path)


@pytest.mark.parametrize(
    ("tokens", "length"),
    [
        ([5] * 12, 1),
        ([9, 8, *[5, 6] * 6], 2),
        ([1, 2, 3, 4, 5] * 4, 5),
        ([5] * 8, 0),
        ([7, 7, 7, 7, 8], 0),
        ([1, 2, 3, 4, 5] * 3, 0),
        ([], 0),
    ],
)
def test_loop_is_told_from_emphasis(tokens: list[int], length: int):
    assert loop_length(tokens) == length


def test_loop_is_cut_to_one_turn():
    assert cut_loop([9, 8, *[5, 6] * 8], 2) == [9, 8, 5, 6]


@given(
    st.lists(st.integers(3, 6), max_size=20), st.lists(st.integers(3, 6), min_size=1, max_size=16)
)
def test_endless_phrase_is_noticed_and_cut(before: list[int], phrase: list[int]):
    """What a decoder in a loop says until it is stopped is its phrase, and no more."""
    tokens = before + phrase * 12
    length = loop_length(tokens)
    assert 0 < length <= len(phrase)
    assert len(cut_loop(tokens, length)) <= len(before) + len(phrase)
