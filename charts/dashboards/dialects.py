"""The gateway by dialect: whose clients connect, are refused, or wait."""

from __future__ import annotations

from .grafana import Limits, Panel, Query, Row
from .promql import per_second, quantile, total
from .results import FINAL, FIRST_INTERIM

DIALECT = ("namespace", "dialect")
DIALECT_LEGEND = "{{namespace}} {{dialect}}"

DIALECTS = Row(
    "By dialect, the protocol that a client speaks",
    [
        Panel(
            title="Open connections by dialect",
            description="Sockets and requests that are served.",
            unit="short",
            queries=[Query(total("scripta_gateway_connections", by=DIALECT), DIALECT_LEGEND)],
        ),
        Panel(
            title="Connections opened by dialect",
            description="New connections; requests with a recording count, too.",
            unit="cps",
            queries=[
                Query(
                    per_second("scripta_gateway_connections_opened_total", by=DIALECT),
                    DIALECT_LEGEND,
                )
            ],
        ),
        Panel(
            title="Refusals by dialect",
            description="Clients refused before their call began, for whatever reason. One dialect "
            "alone: its clients ask for something that is not served here.",
            unit="cps",
            queries=[
                Query(per_second("scripta_gateway_refusals_total", by=DIALECT), DIALECT_LEGEND)
            ],
            stacked=True,
        ),
        Panel(
            title="Messages refused by dialect",
            description="Messages that were empty, too large, no audio, or not understood. Clients "
            "of a new version that say something new show here.",
            unit="cps",
            queries=[
                Query(
                    per_second("scripta_gateway_messages_refused_total", by=DIALECT),
                    DIALECT_LEGEND,
                )
            ],
        ),
        Panel(
            title="Bad closes by dialect",
            description="Closes that are neither a client's goodbye nor a restart of ours: all but "
            "1000, 1001, 1005 and 1012. Over plain TCP and HTTP they are what a WebSocket would "
            "have been told.",
            unit="cps",
            queries=[
                Query(
                    per_second(
                        "scripta_gateway_closes_total", 'code!~"1000|1001|1005|1012"', by=DIALECT
                    ),
                    DIALECT_LEGEND,
                )
            ],
        ),
        Panel(
            title="Latency of finals by dialect, p95",
            description="From the audio that decided a segment's end to its final on the socket.",
            unit="s",
            queries=[Query(quantile(0.95, FINAL, by=DIALECT), DIALECT_LEGEND)],
            limits=Limits(0.5, 1),
        ),
        Panel(
            title="Latency of first interims by dialect, p95",
            description="From a segment's first audio to its first interim on the socket.",
            unit="s",
            queries=[Query(quantile(0.95, FIRST_INTERIM, by=DIALECT), DIALECT_LEGEND)],
            limits=Limits(1, 2),
        ),
    ],
)
