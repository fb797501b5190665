"""A transcriber whose engine is watched, bound to some cores, for the benches.

``watched_transcriber.py LOG CORES INTERIMS``: where its calls are written down, the cores as
``0,1``, and how interims are made. Everything else is Scripta's transcriber and its environment.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import onnxruntime as ort

import scripta_transcriber.segmenter.vad as vad
import scripta_transcriber.service as service
from engine_log import EngineLog, WatchedEngine, WatchedSession
from interim_designs import Interims
from scripta_transcriber.__main__ import main
from scripta_transcriber.engines.onnx import open_session


def watch(log: EngineLog, interims: Interims) -> None:
    """Puts watched parts in the place of the transcriber's own."""
    create_engine = service.create_engine

    def watched_engine(*asked: Any) -> WatchedEngine:
        own = interims is Interims.SCRIPTA
        engine = create_engine(*asked) if own else interims.engine()
        return WatchedEngine(engine, log, drafts=interims.drafts)

    def watched_session(path: Path) -> ort.InferenceSession:
        return WatchedSession(open_session(path), log)

    vars(service)["create_engine"] = watched_engine
    vars(vad)["open_session"] = watched_session


if __name__ == "__main__":
    path, cores, design = sys.argv[1:]
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    how = Interims(design)
    how.apply()
    watch(EngineLog(Path(path)), how)
    main()
