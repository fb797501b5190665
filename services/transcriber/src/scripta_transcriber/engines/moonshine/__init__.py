"""Moonshine, the default engine, on graphs of our own with the weights that are published.

The published decoder has 900 nodes, most of which reckon with shapes: two thirds of the time of a
step go there. These graphs have about a hundred, with the fused operators of onnxruntime for
attention and rotary positions, the projections of queries, keys and values in one product, and
no padding or mask: there is one segment and all of it counts.

Architecture: Jeffries et al., "Moonshine: Speech Recognition for Live Transcription and Voice
Commands", 2024.
"""

from scripta_transcriber.engines.moonshine.engine import DISTRIBUTION, Decoding, MoonshineEngine

__all__ = ["DISTRIBUTION", "Decoding", "MoonshineEngine"]
