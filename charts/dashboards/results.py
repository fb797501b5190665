"""What clients get from the gateway, and how soon."""

from __future__ import annotations

from .grafana import Limits, Panel, Query, Row
from .promql import POD, POD_LEGEND, mean, per_second, quantile

FINAL = "scripta_gateway_final_latency_seconds"
FIRST_INTERIM = "scripta_gateway_first_interim_latency_seconds"
PARTS = "scripta_gateway_latency_part_seconds"

RESULTS = Row(
    "What clients get",
    [
        Panel(
            title="Latency of finals, p95",
            description="From the audio that decided a segment's end to its final on the socket, "
            "pod by pod. One pod alone: look at its event loop; all: look at the parts.",
            unit="s",
            queries=[Query(quantile(0.95, FINAL, by=POD), POD_LEGEND)],
            limits=Limits(0.5, 1),
        ),
        Panel(
            title="Where a final's time goes",
            description="Mean of each part; together they are the mean latency. append: into the "
            "log. queue: to the engine. decode: the engine. commit: back into the log. relay: to "
            "the socket.",
            unit="s",
            queries=[
                Query(
                    mean(PARTS, 'result="final"', by=("namespace", "part")),
                    "{{namespace}} {{part}}",
                )
            ],
            stacked=True,
        ),
        Panel(
            title="Where a first interim's time goes",
            description="Mean of each part, from a segment's first audio. The queue has the "
            "waiting for enough audio in it.",
            unit="s",
            queries=[
                Query(
                    mean(PARTS, 'result="first_interim"', by=("namespace", "part")),
                    "{{namespace}} {{part}}",
                )
            ],
            stacked=True,
        ),
        Panel(
            title="Parts of a final's latency, p95",
            description="The 95th percentile of each part; these do not add up.",
            unit="s",
            queries=[
                Query(
                    quantile(0.95, PARTS, 'result="final"', by=("namespace", "part")),
                    "{{namespace}} {{part}}",
                )
            ],
        ),
        Panel(
            title="Finals",
            description="Finals delivered, pod by pod.",
            unit="cps",
            queries=[Query(per_second("scripta_gateway_finals_total", by=POD), POD_LEGEND)],
        ),
        Panel(
            title="Interims",
            description="Interims delivered to those who ask for them, pod by pod.",
            unit="cps",
            queries=[Query(per_second("scripta_gateway_interims_total", by=POD), POD_LEGEND)],
        ),
    ],
)
