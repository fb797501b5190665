"""Engines: the models a transcriber can run, one module each."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from scripta_transcriber.engines.base import Engine, EngineError

_ENGINES = {
    "mock": "scripta_transcriber.engines.mock:MockEngine",
    "moonshine": "scripta_transcriber.engines.moonshine:MoonshineEngine",
}


def create_engine(name: str, threads: int) -> Engine:
    """Returns the engine called ``name``, not loaded yet.

    An engine's module is imported only when it is asked for, so that one engine's packages
    need not be installed for another.

    Args:
        name: One of the known engines, in any case.
        threads: How many worker threads will call it at the same time.

    Raises:
        EngineError: There is no such engine, or a package it needs is not installed.
    """
    if threads < 1:
        raise EngineError(f"an engine needs at least one thread, not {threads}: set THREADS")
    target = _ENGINES.get(name.strip().lower())
    if target is None:
        known = ", ".join(sorted(_ENGINES))
        raise EngineError(f"unknown engine {name!r}: set ENGINE to one of {known}")
    module, _, attribute = target.partition(":")
    try:
        make: Callable[[], Engine] = getattr(import_module(module), attribute)
    except ImportError as error:
        raise EngineError(
            f"engine {name} needs package {error.name}, which is not installed: "
            "pip install scripta-transcriber with its dependencies"
        ) from error
    return make()
