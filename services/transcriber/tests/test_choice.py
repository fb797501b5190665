"""The engines of a process: which of them a session gets, and what is said of them."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from scripta_common.sessionlog import SessionOptions
from scripta_transcriber.engines.base import (
    Capabilities,
    Draft,
    EngineError,
    Segment,
    Transcript,
)
from scripta_transcriber.engines.choice import Engines

pytestmark = pytest.mark.unit


class Engine:
    """An engine that is there, or whose model is not."""

    def __init__(self, name: str, *models: str, speaks: str = "en", broken: str = "") -> None:
        self.name = name
        self.broken = broken
        slots = 2 if name == "whisper" else 8
        tags = frozenset(speaks.split())
        self.capabilities = Capabilities(tags, models=models, slots_per_thread=slots)

    def load(self) -> None:
        if self.broken:
            raise EngineError(self.broken)

    def transcribe(self, segment: Segment) -> Transcript:
        return Transcript(self.name)

    def draft(self, segment: Segment, memo: object = None) -> Draft:
        return Draft(self.name)


MOONSHINE = Engine("moonshine", "moonshine-tiny-en")
TINY = Engine("whisper", "tiny.en", "whisper-tiny.en")
BASE = Engine("whisper", "base", "whisper-base", speaks="de en ru")
ALL = Engines([MOONSHINE, TINY, BASE])


@pytest.mark.parametrize(
    ("model", "language", "engine", "own"),
    [
        (None, None, MOONSHINE, "moonshine-tiny-en"),
        (None, "de-AT", BASE, "whisper-base"),
        ("whisper", None, TINY, "whisper-tiny.en"),
        ("whisper", "ru", BASE, "whisper-base"),
        ("whisper-base", "en", BASE, "whisper-base"),
    ],
)
def test_session_gets_the_engine_of_its_model(
    model: str | None, language: str | None, engine: Engine, own: str
) -> None:
    choice = ALL.choose(SessionOptions(model=model, language=language))
    assert (choice.engine, choice.model, choice.refusal) == (engine, own, None)


def test_own_name_of_one_is_not_mistaken_for_another_name_of_one_before() -> None:
    engines = Engines([Engine("sherpa", "whisper-base", "sherpa-whisper-base"), BASE])
    assert engines.choose(SessionOptions(model="whisper-base")).engine is BASE


@pytest.mark.parametrize(
    ("model", "language", "code", "message"),
    [
        ("nova", None, "model_gone", '"nova" of this session is not served any more (known: moon'),
        ("moonshine", "ru", "unsupported_language", "by the moonshine engine (it speaks: en)"),
        (None, "sv", "unsupported_language", "'sv' is not supported"),
    ],
)
def test_session_that_can_not_be_served_is_told_why(
    model: str | None, language: str | None, code: str, message: str
) -> None:
    refusal = ALL.choose(SessionOptions(model=model, language=language)).refusal
    assert refusal is not None
    assert refusal.error.code == refusal.why == code
    assert message in str(refusal.error)


def test_two_models_of_one_name_are_refused_with_what_to_do() -> None:
    with pytest.raises(EngineError, match=r"entries 1 and 3 .* called whisper-base, .* rename"):
        Engines([BASE, TINY, Engine("whisper", "base", "whisper-base")])


async def test_broken_model_is_named_with_its_place() -> None:
    engines = Engines(
        [Engine("whisper", "a", "whisper-a"), Engine("sherpa", "b", broken="mount b")]
    )
    with pytest.raises(EngineError, match=r"^entry 2 of ENGINE, b: mount b$"):
        await engines.load({})
    with pytest.raises(EngineError, match=r"^mount b$"):
        await Engines([Engine("sherpa", "b", broken="mount b")]).load({})


async def test_each_engine_is_logged_when_it_is_loaded(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert await ALL.load({"pool": "default"}) is not None
    told: list[Any] = [one for one in caplog.records if one.message == "engine loaded"]
    assert [(one.model, one.languages, one.pool) for one in told] == [
        ("moonshine-tiny-en", "en", "default"),
        ("whisper-tiny.en", "en", "default"),
        ("whisper-base", "de,en,ru", "default"),
    ]


def test_fleet_is_told_of_each_model_and_of_all_together() -> None:
    """The second is what gateways know that are older than transcribers with several models."""
    member = ALL.member("default", 5)
    assert [model.own_name for model in member.served] == [
        "moonshine-tiny-en",
        "whisper-tiny.en",
        "whisper-base",
    ]
    assert set(member.models) >= {"moonshine", "whisper", "base", "whisper-base"}
    assert (member.languages, member.slots) == (("de", "en", "ru"), 5)
    anything = Engines([MOONSHINE, Engine("sherpa", "b", speaks="")])
    assert anything.member("default", 5).languages == ()
