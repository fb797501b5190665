"""Metrics of the transcriber."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SLOTS = Gauge("scripta_transcriber_slots", "Sessions that this transcriber can serve at a time.")
SLOTS_IN_USE = Gauge("scripta_transcriber_slots_in_use", "Sessions that it serves now.")
CLAIMS = Counter(
    "scripta_transcriber_claims_total", "Sessions claimed: new, or expired at another.", ["how"]
)
FINALS = Counter("scripta_transcriber_finals_total", "Finals committed.")
DECODE_SECONDS = Histogram(
    "scripta_transcriber_decode_seconds",
    "Time from asking the engine for a final or an interim to its answer.",
    ["kind"],
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 30),
)

for _how in ("new", "expired"):
    CLAIMS.labels(_how)
for _kind in ("final", "interim"):
    DECODE_SECONDS.labels(_kind)
