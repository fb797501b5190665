"""Forms: read in whatever pieces they come, and never more of them than is to be kept."""

from __future__ import annotations

import random
import tracemalloc

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripta_gateway.bounds import FORM_FIELD_BYTES, FORM_PARTS, MIB
from scripta_gateway.dialects.forms import Field, Form, FormError, Piece

pytestmark = pytest.mark.unit

TYPE = "multipart/form-data; boundary=b"
TAKEN = [("model", "whisper-1"), ("empty", ""), ("prompt", "Grüße\r\n--b or not")]
AUDIO = bytes(range(256)) * 40 + b"\r\n--\r\n-\r\n\r"


def body(*parts: bytes) -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


def part(name: str, value: bytes, more: str = "") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value


def read(form: Form, data: bytes, sizes: list[int] | None = None) -> tuple[list[Field], bytes]:
    fields, file, at = [], b"", 0
    for size in [*(sizes or []), len(data)]:
        for news in form.feed(data[at : at + size]):
            if isinstance(news, Field):
                fields.append(news)
            else:
                file += news.data
        at += size
    return fields, file


def of_httpx(fields: dict[str, str | list[str]], file: bytes) -> tuple[str, bytes]:
    request = httpx.Request("POST", "http://x/", data=fields, files={"file": ("a.wav", file)})
    return request.headers["content-type"], request.read()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 4000), max_size=60))
def test_a_form_says_the_same_in_whatever_pieces_it_comes(sizes: list[int]) -> None:
    """Guards delimiters that lie across two pieces."""
    kind, data = of_httpx(dict(TAKEN), AUDIO)
    form = Form(kind)
    fields, file = read(form, data, sizes)
    assert [(field.name, field.value) for field in fields] == TAKEN
    assert file == AUDIO
    assert form.complete


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_form_in_tiny_pieces(size: int) -> None:
    data = body(
        part("file", AUDIO, '; filename="a.wav"\r\nContent-Type: audio/wav'), part("x", b"y")
    )
    form = Form(TYPE)
    fields, file = read(form, b"preamble\r\n" + data + b"epilogue", [size] * len(data))
    assert (fields, file, form.complete) == ([Field("x", "y")], AUDIO, True)


def test_an_empty_file_is_a_file() -> None:
    assert list(Form(TYPE).feed(body(part("file", b"", '; filename=""')))) == [Piece("file", b"")]


@pytest.mark.parametrize(
    ("kind", "data", "word"),
    [
        ("application/json", b"", "multipart/form-data"),
        ("multipart/form-data", b"", "boundary"),
        ("multipart/form-data; boundary=" + "b" * 71, b"", "boundary"),
        (TYPE, b"--b??", "broken"),
        (TYPE, b"--b\r\nContent-Type: text/plain\r\n\r\n", "no name"),
        (TYPE, body(part("x", b"\xff")), "UTF-8"),
        (TYPE, body(*[part("x", b"")] * (FORM_PARTS + 1)), "parts"),
        (TYPE, b"a" * 2 * FORM_FIELD_BYTES, "boundary"),
        (TYPE, b"--b" + b" " * 2 * FORM_FIELD_BYTES, "boundary"),
        (TYPE, b"--b\r\n" + b"a" * 2 * FORM_FIELD_BYTES, "heads"),
        (TYPE, b"--b\r\n" + part("file", b"a" * 2 * FORM_FIELD_BYTES), "file name"),
        (TYPE, body(*[part("x", b"a" * (FORM_FIELD_BYTES // 8))] * 9), "fields"),
    ],
)
def test_what_is_no_form_or_too_much_is_refused(kind: str, data: bytes, word: str) -> None:
    with pytest.raises(FormError, match=word):
        read(Form(kind), data, [2048] * (len(data) // 2048))


def test_a_file_is_not_kept() -> None:
    """Guards the gateway's memory: a file may have gigabytes."""
    form = Form(TYPE)
    list(form.feed(b"--b\r\n" + part("file", b"", '; filename="a"')))
    piece = bytes(65_536)
    tracemalloc.start()
    taken = sum(len(news.data) for _ in range(1600) for news in form.feed(piece))  # type: ignore[union-attr]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken > 100 * MIB - 100
    assert peak < MIB


def test_whatever_comes_ends_by_no_other_error() -> None:
    """A thousand forms with bytes of them changed, cut out and doubled; seeded."""
    chance = random.Random(7)
    _, data = of_httpx({}, AUDIO[:600])
    refused: list[str] = []
    whole = body(part("x", b"y"), part("file", AUDIO[:400], '; filename="a.wav"'))
    for _ in range(1000):
        mutated = bytearray(chance.choice((whole, data)))
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(mutated))
            mutated[at : at + chance.randint(0, 4)] = chance.choice(
                (b"", b"\r\n", b"--b", b"\0", chance.randbytes(3), b'"', b":", b"=?utf-8?q?")
            )
        try:
            read(Form(TYPE), bytes(mutated), [chance.randint(1, 300) for _ in range(5)])
        except FormError as error:
            refused.append(str(error))
    assert all(refused)
