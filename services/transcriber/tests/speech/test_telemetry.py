"""Libraries that would report to their makers do not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

LOAD = """
from scripta_transcriber.engines import create_engine
from scripta_transcriber.segmenter import load_detector
engine = create_engine("moonshine", 1)
engine.load()
load_detector(engine.capabilities)
"""


def test_loaded_models_are_reported_to_nobody(tmp_path: Path) -> None:
    """onnxruntime keeps in the cache what it is about to send."""
    ours = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    env = ours | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", LOAD]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=True)
    assert list(tmp_path.rglob("*")) == []
    assert done.stderr == ""
