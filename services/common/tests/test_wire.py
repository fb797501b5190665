"""What crosses the log comes out as it went in."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripta_common.sessionlog import SessionOptions
from scripta_common.wire import (
    Ended,
    Entry,
    EntryKind,
    Failed,
    Final,
    Interim,
    Origin,
    Reason,
    Recorded,
    Ring,
    Word,
    decode_doorbell,
    decode_recorded,
    encode,
)

pytestmark = pytest.mark.unit

seconds = st.floats(0, 1e6)
confidences = st.none() | st.floats(0, 1)
texts = st.text(max_size=20)
finals = st.builds(
    Final,
    st.integers(1, 2**40),
    seconds,
    seconds,
    texts,
    st.sampled_from(Reason),
    st.lists(st.builds(Word, texts, seconds, seconds, confidences), max_size=3).map(tuple),
    st.booleans(),
    confidences,
    st.none() | texts,
)
recorded = (
    finals
    | st.builds(Ended, st.integers(1, 2**40), seconds)
    | st.builds(Failed, st.integers(1, 2**40), texts, texts)
)
interims = st.builds(Interim, seconds, seconds, texts, texts)
rings = st.builds(
    Ring,
    texts,
    st.integers(-1, 2**40),
    st.integers(-1, 2**40),
    st.integers(-1, 2**40),
    st.lists(recorded, max_size=3).map(tuple) | interims.map(lambda i: (i,)),
    st.lists(
        st.none() | st.builds(Origin, st.integers(0, 2**40), seconds, st.none() | texts),
        max_size=3,
    ).map(tuple),
    st.none() | seconds,
)


@given(recorded)
def test_result_comes_back_as_it_was(result: Recorded) -> None:
    assert decode_recorded(encode(result)) == result


@given(rings)
def test_ring_comes_back_as_it_was(ring: Ring) -> None:
    assert decode_doorbell(encode(ring)) == ring


@given(rings)
def test_ring_without_what_was_added_later_is_read(ring: Ring) -> None:
    """Guards a rolling update: transcribers of the version before ring the same gateways."""
    packed = msgspec.msgpack.decode(encode(ring))
    older = msgspec.msgpack.encode(packed[:6])
    assert decode_doorbell(older) == msgspec.structs.replace(ring, origins=(), sent_at=None)


def test_origin_of_a_transcriber_that_does_not_trace_is_read() -> None:
    ring = Ring("s", 1, 1, 1, (Ended(1, 2.5),), (Origin(7, 0.5, "00-a-b-01"),), 3.0)
    packed = msgspec.msgpack.decode(encode(ring))
    packed[6] = [packed[6][0][:2]]
    older = msgspec.structs.replace(ring, origins=(Origin(7, 0.5),))
    assert decode_doorbell(msgspec.msgpack.encode(packed)) == older


@given(rings)
def test_ring_of_a_later_version_is_read(ring: Ring) -> None:
    packed = msgspec.msgpack.decode(encode(ring))
    assert decode_doorbell(msgspec.msgpack.encode([*packed, "new"])) == ring


@given(st.binary(max_size=40))
def test_anything_else_is_a_decode_error(data: bytes) -> None:
    for decode in (decode_recorded, decode_doorbell):
        with suppress(msgspec.DecodeError):
            decode(data)


@given(
    st.builds(
        SessionOptions,
        st.none() | texts,
        st.booleans(),
        st.none() | st.integers(100, 5000),
        st.none() | texts,
    )
)
def test_options_come_back_as_they_were(options: SessionOptions) -> None:
    assert SessionOptions.decode(options.encode()) == options


def test_options_of_a_newer_gateway_are_read() -> None:
    assert SessionOptions.decode(b'{"language":"de","new":[1]}') == SessionOptions(language="de")


def test_entry_ends_behind_its_last_sample() -> None:
    assert Entry(1, EntryKind.AUDIO, 100, b"abcd").end_sample == 102
    assert Entry(2, EntryKind.END, 102).end_sample == 102
