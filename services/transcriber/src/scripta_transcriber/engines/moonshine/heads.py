"""Which heads of a model's decoder look at the sound of the token that they choose.

Some do so sharply and most do not; which ones, training leaves to chance. So each model has its
own, found by holding its times against those of an aligner (``bench/word_heads.py``).
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from scripta_transcriber.engines.moonshine.layers import Form
from scripta_transcriber.engines.moonshine.weights import Weights


class Head(NamedTuple):
    """A head of the decoder's attention to the audio."""

    layer: int
    number: int


HEADS: Final[dict[str, tuple[Head, ...]]] = {
    "530b40a96155b606": tuple(
        Head(*head) for head in ((3, 0), (3, 2), (3, 5), (3, 6), (4, 3), (4, 6), (4, 7), (5, 6))
    ),
}
"""By the fingerprint of the model. These are the eight best of tiny-en, each tried alone on half of
the recordings; fewer do as well on plain speech, and lose their way in pauses."""


def heads_of(decoder: Weights) -> tuple[Head, ...]:
    """Returns the heads of a model; none if it is one for which nobody has chosen them."""
    return HEADS.get(fingerprint(decoder), ())


def fingerprint(decoder: Weights) -> str:
    """Returns by what a model is known: a digest of the weights of its last queries."""
    last = Form.of(decoder).layers - 1
    matrix = decoder.matrix(f"/model/decoder/layers.{last}/encoder_attn/q_proj/MatMul_quant")
    return hashlib.sha256(matrix.values.tobytes()).hexdigest()[:16]
