"""What engines hear does not hang on the machine's number of cores."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

_FEATURES = """
import os, sys
os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(sys.argv[1])]))
import scripta_transcriber
import hashlib
import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor
noise = np.random.default_rng(1).standard_normal(480_000).astype(np.float32)
print(hashlib.sha256(FeatureExtractor()(0.1 * noise, padding=0).tobytes()).hexdigest())
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_whispers_features_are_the_same_on_one_core_and_on_several() -> None:
    """Guards a final that has another word where a session is taken over by a larger machine."""
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    seen = {
        subprocess.run(
            [sys.executable, "-c", _FEATURES, cores],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for cores in ("1", "2")
    }
    assert len(seen) == 1
