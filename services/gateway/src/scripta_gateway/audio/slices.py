"""The unit in which PCM leaves a decoder: small enough that nobody holds much of it."""

from __future__ import annotations

from typing import Final as Constant

from scripta_common.wire import BYTES_PER_SAMPLE, SAMPLE_RATE

SLICE_SECONDS: Constant = 2
"""Audio in a slice. A live message is shorter and stays whole; a long one is never held whole."""

SLICE_BYTES: Constant = SLICE_SECONDS * SAMPLE_RATE * BYTES_PER_SAMPLE
