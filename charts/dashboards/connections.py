"""The gateway's connections and sessions: how many there are, and how they end."""

from __future__ import annotations

from .grafana import Panel, Query, Row
from .promql import POD, POD_LEGEND, largest, per_second, total

CONNECTIONS = Row(
    "Connections and sessions",
    [
        Panel(
            title="Open connections",
            description="Sockets, pod by pod. Uneven after a rollout: clients stay where they are "
            "until they reconnect.",
            unit="short",
            queries=[Query(total("scripta_gateway_connections", by=POD), POD_LEGEND)],
        ),
        Panel(
            title="Sessions",
            description="Sessions held, pod by pod. More than connections: clients have gone and "
            "may come back.",
            unit="short",
            queries=[Query(total("scripta_gateway_sessions", by=POD), POD_LEGEND)],
        ),
        Panel(
            title="Draining",
            description="1 while a gateway says goodbye to its clients. If all do, nobody is let "
            "in.",
            unit="bool_yes_no",
            queries=[Query(largest("scripta_gateway_draining", by=POD), POD_LEGEND)],
            highest=1,
        ),
        Panel(
            title="Closes by code",
            description="1000 done, 1001 idle, 1006 lost, 1007 bad audio, 1008 not allowed, 1009 "
            "too large, 1011 our fault, 1012 restarting, 1013 no room.",
            unit="cps",
            queries=[
                Query(
                    per_second("scripta_gateway_closes_total", by=("namespace", "code")),
                    "{{namespace}} {{code}}",
                )
            ],
            stacked=True,
        ),
        Panel(
            title="Refusals by reason",
            description="Clients refused before the upgrade. `broker_unavailable` and `draining` "
            "pass by themselves if a gateway is left.",
            unit="cps",
            queries=[
                Query(
                    per_second("scripta_gateway_refusals_total", by=("namespace", "reason")),
                    "{{namespace}} {{reason}}",
                )
            ],
            stacked=True,
        ),
        Panel(
            title="Sessions not taken up",
            description="Clients that came back and did not get their session. `unknown` is also a "
            "wrong token: many of them, and no gateway was away, are somebody who guesses.",
            unit="cps",
            queries=[
                Query(
                    per_second("scripta_gateway_resumes_refused_total", by=("namespace", "reason")),
                    "{{namespace}} {{reason}}",
                )
            ],
            stacked=True,
        ),
        Panel(
            title="Handshakes of TLS",
            description="`failed`: a client distrusts the certificate, has none where one is asked "
            "for, or speaks no TLS. `late`: it said nothing in time.",
            unit="cps",
            queries=[
                Query(
                    per_second("scripta_gateway_tls_handshakes_total", by=("namespace", "outcome")),
                    "{{namespace}} {{outcome}}",
                )
            ],
            stacked=True,
        ),
        Panel(
            title="Clients at a bound",
            description="Times that a client was refused, held back or closed by a bound that "
            "protects the others. A steady rate is a client with a fault, or a hostile one.",
            unit="cps",
            queries=[
                Query(
                    per_second("scripta_gateway_bounds_hit_total", by=("namespace", "bound")),
                    "{{namespace}} {{bound}}",
                )
            ],
            stacked=True,
        ),
        Panel(
            title="Callers over a limit",
            description="Sessions and recordings refused, or ended, because a tenant or a key was "
            "over a limit of its own. Which one is in the logs and in its usage.",
            unit="cps",
            queries=[
                Query(
                    per_second("scripta_gateway_over_limit_total", by=("namespace", "limit")),
                    "{{namespace}} {{limit}}",
                )
            ],
            stacked=True,
        ),
    ],
)
