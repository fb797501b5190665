"""Engines: the models a transcriber can run, one module each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from scripta_transcriber.engines.base import Engine, EngineError
from scripta_transcriber.engines.source import Device, ModelSource


def _mock(source: ModelSource, threads: int) -> Engine:
    from scripta_transcriber.engines.mock import MockEngine

    return MockEngine()


def _moonshine(source: ModelSource, threads: int) -> Engine:
    from scripta_transcriber.engines.moonshine import MoonshineEngine

    return MoonshineEngine(source.find("moonshine") if source.model else None)


def _whisper(source: ModelSource, threads: int) -> Engine:
    from scripta_transcriber.engines.whisper import WhisperEngine

    return WhisperEngine(source, threads)


def _sherpa(source: ModelSource, threads: int) -> Engine:
    from scripta_transcriber.engines.sherpa import SherpaEngine

    return SherpaEngine(source, threads)


_ENGINES: Final[dict[str, Callable[[ModelSource, int], Engine]]] = {
    "mock": _mock,
    "moonshine": _moonshine,
    "sherpa": _sherpa,
    "whisper": _whisper,
}
"""What makes each engine. Its module is imported only then: another's packages may be missing."""

ENGINES: Final = tuple(_ENGINES)
"""Names of the engines that there are."""

_EXTRAS: Final = frozenset({"sherpa", "whisper"})
"""Engines whose packages are an extra of the same name."""

ON_CUDA: Final = frozenset({"whisper"})
"""Engines that can run on a GPU."""


def create_engine(name: str, threads: int, source: ModelSource | None = None) -> Engine:
    """Returns the engine called ``name``, not loaded yet.

    Args:
        name: One of the known engines, in any case.
        threads: How many worker threads will call it at the same time.
        source: Where its model is; by default the one that comes with the engine.

    Raises:
        EngineError: There is no such engine, it can not run where it shall, or a package it
            needs is not installed.
    """
    if threads < 1:
        raise EngineError(f"an engine needs at least one thread, not {threads}: set THREADS")
    name, source = name.strip().lower(), source or ModelSource()
    make = _ENGINES.get(name)
    if make is None:
        known = ", ".join(sorted(_ENGINES))
        raise EngineError(f"unknown engine {name!r}: set ENGINE to one of {known}")
    if source.device is not Device.CPU and name not in ON_CUDA:
        raise EngineError(f"engine {name} runs on the CPU only: leave DEVICE unset")
    try:
        return make(source, threads)
    except ImportError as error:
        raise EngineError(
            f"engine {name} needs package {error.name}, which is not installed: {_remedy(name)}"
        ) from error


def _remedy(name: str) -> str:
    if name not in _EXTRAS:
        return "pip install scripta-transcriber with its dependencies"
    return (
        f"pip install 'scripta-transcriber[{name}]', or build the image with "
        f"--build-arg EXTRAS={name} (one extra an image)"
    )
