"""The engines of a process: loaded one after the other; and which of them a session gets."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scripta_common.errors import ModelGone, ScriptaError, UnsupportedLanguage
from scripta_common.fleet import Member
from scripta_common.models import Model, answering, choose
from scripta_common.sessionlog import SessionOptions
from scripta_transcriber import metrics
from scripta_transcriber.engines.base import Engine, EngineError, Segmentation
from scripta_transcriber.metrics import Failure
from scripta_transcriber.segmenter import load_detector
from scripta_transcriber.segmenter.vad import VoiceDetector

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a session can not be served.

    Attributes:
        why: For the metrics.
        error: For its client.
    """

    why: Failure
    error: ScriptaError


@dataclass(frozen=True, slots=True)
class Choice:
    """What a session gets.

    Attributes:
        engine: What decodes it; of a session that is refused any.
        model: Own name of the engine's model.
        refusal: Why it is not decoded, if it is not.
    """

    engine: Engine
    model: str
    refusal: Refusal | None = None


class Engines:
    """The engines of a process, the preferred ones first.

    Args:
        engines: One or more, not loaded yet.

    Raises:
        EngineError: Two have models of the same name.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = list(engines)
        self.models = self._describe()
        seen: dict[str, int] = {}
        for place, model in enumerate(self.models, start=1):
            other = seen.setdefault(model.own_name, place)
            if other != place:
                raise EngineError(
                    f"entries {other} and {place} of ENGINE and MODEL are both called "
                    f"{model.own_name}, so sessions could not tell them apart: leave one out, or "
                    "rename the folder of one"
                )

    async def load(self, facts: Mapping[str, object]) -> VoiceDetector | None:
        """Loads one engine after the other, and what finds speech for all of them.

        Args:
            facts: What is logged of the process with each engine.

        Returns:
            The voice detector; ``None`` if no engine's segments are cut by speech.

        Raises:
            EngineError: One is missing or broken; the message names which one, and the fix.
        """
        began = time.monotonic()
        for place in range(len(self._engines)):
            await self._load_one(place, facts)
        by_speech = [
            engine.capabilities
            for engine in self._engines
            if engine.capabilities.segmentation is Segmentation.SPEECH
        ]
        detector = await asyncio.to_thread(load_detector, by_speech[0]) if by_speech else None
        metrics.MODEL_LOAD_SECONDS.set(time.monotonic() - began)
        metrics.export_engines((model.names[0], model.own_name) for model in self.models)
        return detector

    async def _load_one(self, place: int, facts: Mapping[str, object]) -> None:
        engine, own_name = self._engines[place], self.models[place].own_name
        began = time.monotonic()
        try:
            await asyncio.to_thread(engine.load)
        except EngineError as error:
            if len(self._engines) == 1:
                raise
            raise EngineError(f"entry {place + 1} of ENGINE, {own_name}: {error}") from error
        self.models = self._describe()
        logger.info(
            "engine loaded",
            extra={
                "engine": engine.name,
                "model": own_name,
                "languages": ",".join(self.models[place].languages),
                "interims": engine.capabilities.interims,
                "word_times": engine.capabilities.word_times,
                "seconds": round(time.monotonic() - began, 2),
                **facts,
            },
        )

    def __iter__(self) -> Iterator[Engine]:
        return iter(self._engines)

    def have(self, model: str | None) -> bool:
        """Returns whether a session with this model can be served."""
        return bool(answering(self.models, model))

    def choose(self, options: SessionOptions) -> Choice:
        """Returns what a session gets: the same, whoever of the same engines is asked."""
        found = choose(self.models, options.model, options.language)
        if found is None:
            known = ", ".join(model.own_name for model in self.models)
            gone = ModelGone(
                f'Model "{options.model}" of this session is not served any more (known: {known}); '
                "connect again."
            )
            first = Choice(self._engines[0], self.models[0].own_name)
            return Choice(first.engine, first.model, Refusal(Failure.MODEL_GONE, gone))
        engine = self._engines[self.models.index(found)]
        if options.language is None or found.speaks(options.language):
            return Choice(engine, found.own_name)
        unsupported = UnsupportedLanguage(
            f"Language {options.language!r} is not supported by the {engine.name} engine "
            f"(it speaks: {', '.join(found.languages)})."
        )
        refusal = Refusal(Failure.UNSUPPORTED_LANGUAGE, unsupported)
        return Choice(engine, found.own_name, refusal)

    def member(self, pool: str, slots: int, finished: int = 0, uploads: int = 0) -> Member:
        """Returns what the fleet is told of a transcriber with these engines.

        Args:
            pool: The transcriber's pool.
            slots: Live sessions that it takes now.
            finished: Live sessions that it has finished so far.
            uploads: Uploads that it serves now.
        """
        names = dict.fromkeys(name for model in self.models for name in model.names)
        tags = {tag for model in self.models for tag in model.languages}
        every = all(model.languages for model in self.models)
        return Member(
            pool=pool,
            models=tuple(names),
            languages=tuple(sorted(tags)) if every else (),
            slots=slots,
            served=self.models,
            finished=finished,
            meters=True,
            uploads=uploads,
        )

    def _describe(self) -> tuple[Model, ...]:
        return tuple(
            Model(
                (engine.name, *engine.capabilities.models),
                tuple(sorted(engine.capabilities.languages)),
                engine.capabilities.interims,
                engine.capabilities.word_times,
                engine.capabilities.keyterms,
            )
            for engine in self._engines
        )
