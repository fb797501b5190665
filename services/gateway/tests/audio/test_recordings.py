"""Real files of many formats agree with the 16 kHz recordings they were made from."""

from __future__ import annotations

import json
import os
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.unit

_BESIDE = Path(__file__).parents[5] / "shared" / "speech"
SPEECH = Path(os.environ.get("SCRIPTA_SPEECH", str(_BESIDE)))
MANIFEST = SPEECH / "formats" / "manifest.jsonl"


def files() -> list[Any]:
    if not MANIFEST.exists():
        reason = f"no recordings at {SPEECH}; set SCRIPTA_SPEECH"
        return [pytest.param("", "", marks=pytest.mark.skip(reason=reason))]
    rows = [json.loads(line) for line in MANIFEST.read_text().splitlines()]
    return [pytest.param(row["file"], row["same_as"], id=row["file"]) for row in rows]


@pytest.mark.parametrize(("name", "same_as"), files())
async def test_a_recording_is_the_same_in_every_format(
    name: str, same_as: str, decode: Any, likeness: Any, pieces: Any
) -> None:
    data = (SPEECH / name).read_bytes()
    with wave.open(str(SPEECH / same_as)) as file:
        want = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    pcm = (await decode([data])).all
    correlation, shift = likeness(pcm, want)
    assert correlation > 0.97
    assert abs(shift) < 160
    assert abs(len(pcm) // 2 - len(want)) < 800
    level = np.frombuffer(pcm, "<i2").astype(float).std() / want.astype(float).std()
    assert 0.7 < level < 1.05
    assert (await decode(pieces(data, 3200))).all == pcm
