"""Frames, taken apart: whatever the bytes and however they are cut."""

from __future__ import annotations

import itertools
import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_client import frame as masked_with_zeros
from websockets.frames import Frame
from websockets.frames import Opcode as TheirOpcode

from scripta_gateway.bounds import FRAGMENTS, SMALL_MESSAGE_BYTES
from scripta_gateway.transports.events import (
    Close,
    Limits,
    Message,
    NeedsRoom,
    Nothing,
    Opcode,
    Oversized,
    Ping,
    Violation,
)
from scripta_gateway.transports.frames import FrameReader, close_frame, frame

pytestmark = pytest.mark.unit

LIMITS = Limits(binary=100_000, text=1000, hard=300_000)


def read(data: bytes, cuts: list[int] | None = None, limits: Limits = LIMITS) -> list[object]:
    """Returns the events of bytes that arrive in pieces; room is always granted."""
    reader = FrameReader(limits)
    events: list[object] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts or []), len(data)]
    for start, end in itertools.pairwise(edges):
        reader.feed(data[start:end])
        while (event := reader.next()) is not None:
            if isinstance(event, NeedsRoom):
                reader.has_room = True
            elif not isinstance(event, Nothing):
                events.append(event)
    return events


def theirs(op: TheirOpcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(op, data, fin).serialize(mask=True)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["text", "binary", "ping", "pong"]),
            st.integers(0, 100_500),
            st.integers(1, 5),
        ),
        max_size=5,
    ),
    st.lists(st.integers(0, 500_000), max_size=12),
)
def test_any_cut_gives_the_same_messages(said: list[tuple[str, int, int]], cuts: list[int]) -> None:
    """Guards the mask and the lengths against the edges of what arrives at once."""
    data, expected = b"", []
    for kind, size, parts in said:
        if kind in ("ping", "pong"):
            payload = secrets.token_bytes(size % 126)
            op = TheirOpcode.PING if kind == "ping" else TheirOpcode.PONG
            data += theirs(op, payload)
            expected += [Ping(payload)] if kind == "ping" else []
            continue
        is_text = kind == "text"
        payload = secrets.token_bytes(size)
        step = size // parts + 1
        pieces = [payload[at : at + step] for at in range(0, size + 1, step)]
        op = TheirOpcode.TEXT if is_text else TheirOpcode.BINARY
        for number, piece in enumerate(pieces):
            fin = number == len(pieces) - 1
            data += theirs(TheirOpcode.CONT if number else op, piece, fin=fin)
        limit = LIMITS.text if is_text else LIMITS.binary
        oversized = Oversized(is_text, limit)
        expected.append(Message(is_text, payload) if size <= limit else oversized)  # type: ignore[arg-type]
    assert read(data, cuts) == expected


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=4))
def test_random_bytes_are_read_or_refused(data: bytes, cuts: list[int]) -> None:
    refused = None
    try:
        read(data, cuts)
    except Violation as violation:
        refused = violation
    assert refused is None or refused.code in (1002, 1007, 1008, 1009)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x82\x01a", 1002),
        (b"\xc2\x80\0\0\0\0", 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (b"\x8b\x80\0\0\0\0", 1002),
        (masked_with_zeros(0, b"x"), 1002),
        (masked_with_zeros(2, b"x", fin=False) + masked_with_zeros(2, b"x"), 1002),
        (masked_with_zeros(9, b"x", fin=False), 1002),
        (masked_with_zeros(9, bytes(126)), 1002),
        (masked_with_zeros(8, b"x"), 1002),
        (masked_with_zeros(8, b"\x03\xed"), 1002),
        (masked_with_zeros(8, b"\x03\xe8\xff"), 1007),
        (masked_with_zeros(2, b"", length=LIMITS.hard + 1), 1009),
        (masked_with_zeros(1, b"", length=(1 << 63) + 5), 1009),
        (masked_with_zeros(2, b"", fin=False) + masked_with_zeros(0, fin=False) * FRAGMENTS, 1008),
    ],
)
def test_what_breaks_the_protocol_is_refused_with_its_code(data: bytes, code: int) -> None:
    with pytest.raises(Violation) as refused:
        read(data)
    assert refused.value.code == code


def test_oversized_message_is_skipped_without_keeping_its_bytes() -> None:
    """Guards memory: 40 frames of 16 MB that are not finished were 600 MB."""
    reader = FrameReader(LIMITS)
    reader.feed(masked_with_zeros(2, bytes(1000), length=200_000))
    assert reader.next() == Oversized(is_text=False, limit=LIMITS.binary)
    for _ in range(199):
        reader.feed(bytes(1000))
        assert isinstance(reader.next(), Nothing | None)
        assert not reader._first
        assert reader._more is None
    reader.feed(masked_with_zeros(2, b"ab"))
    assert reader.next() == Message(is_text=False, data=b"ab")


def test_message_that_outgrows_its_limit_lets_go_of_what_it_had() -> None:
    reader = FrameReader(LIMITS)
    reader.has_room = True
    reader.feed(masked_with_zeros(2, bytes(60_000), fin=False))
    assert isinstance(reader.next(), Nothing)
    reader.feed(masked_with_zeros(0, bytes(60_000), fin=False))
    assert reader.next() == Oversized(is_text=False, limit=LIMITS.binary)
    assert isinstance(reader.next(), Nothing)
    assert not reader._first
    assert reader._more is None
    reader.feed(masked_with_zeros(0, bytes(3)))
    assert isinstance(reader.next(), Nothing)
    reader.feed(masked_with_zeros(2, b"ab"))
    assert reader.next() == Message(is_text=False, data=b"ab")


def test_message_of_tiny_pieces_costs_what_it_holds() -> None:
    """Guards memory: an object for each piece is twenty times a piece of two bytes."""
    reader = FrameReader(LIMITS)
    reader.feed(masked_with_zeros(2, b"", length=40_000))
    for _ in range(19_999):
        reader.feed(b"ab")
        assert reader.next() is None
    assert reader._more is not None
    assert len(reader._more) == 39_998
    reader.feed(b"ab")
    assert reader.next() == Message(is_text=False, data=b"ab" * 20_000)


@pytest.mark.parametrize("size", [SMALL_MESSAGE_BYTES + 1, LIMITS.binary])
def test_large_message_waits_for_room(size: int) -> None:
    reader = FrameReader(LIMITS)
    reader.feed(masked_with_zeros(2, bytes(size)))
    assert reader.next() == NeedsRoom(size)
    assert reader.next() == NeedsRoom(size)
    reader.has_room = True
    assert reader.next() == Message(is_text=False, data=bytes(size))
    assert not reader.has_room


def test_message_in_fragments_asks_for_all_that_it_may_become() -> None:
    reader = FrameReader(LIMITS)
    reader.feed(masked_with_zeros(2, bytes(SMALL_MESSAGE_BYTES), fin=False))
    assert isinstance(reader.next(), Nothing)
    reader.feed(masked_with_zeros(0, b"x", fin=False))
    assert reader.next() == NeedsRoom(LIMITS.binary)


def test_small_frames_cost_more_than_what_they_carry() -> None:
    reader = FrameReader(LIMITS)
    reader.feed(masked_with_zeros(2) * 10 + masked_with_zeros(2, bytes(160)) * 10)
    reader.feed(masked_with_zeros(2, bytes(640)) * 10)
    while reader.next() is not None:
        pass
    assert reader.cost == pytest.approx(40 + 10 + 2)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_own_frames_are_read_by_others(size: int) -> None:
    data = secrets.token_bytes(size)
    theirs = Frame(TheirOpcode.BINARY, data).serialize(mask=False)
    assert frame(Opcode.BINARY, data) == theirs


def test_long_reason_of_a_close_is_cut_between_characters() -> None:
    closing = close_frame(1008, "ä" * 100)
    assert len(closing) <= 127
    words = read_unmasked(closing)
    assert words == "ä" * 61


def read_unmasked(closing: bytes) -> str:
    return closing[4:].decode()


def test_close_is_read_with_its_reason() -> None:
    assert read(masked_with_zeros(8, b"\x03\xe8bye")) == [Close(1000, "bye", b"\x03\xe8bye")]
    assert read(masked_with_zeros(8)) == [Close(1005, "", b"")]
