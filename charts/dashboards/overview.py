"""The overview: is it healthy, how late are the words, is there room."""

from __future__ import annotations

from .grafana import Board, Limits, Panel, Query, Row
from .promql import (
    fleet,
    increase,
    largest,
    mean,
    per_second,
    quantile,
    ratio,
    select,
    total,
)

FINAL = "scripta_gateway_final_latency_seconds"
FIRST_INTERIM = "scripta_gateway_first_interim_latency_seconds"
ENDED = "scripta_gateway_sessions_ended_total"
IN_TIME = 'le="1.0"'
FAILED = 'outcome="failed"'
# A session that another gateway goes on with has not ended.
REALLY_ENDED = 'outcome!~"handed_over|superseded"'
LATE_ALLOWED = 0.01
FAILED_ALLOWED = 0.005


def _in_time(window: str) -> str:
    return ratio(
        increase(f"{FINAL}_bucket", IN_TIME, window=window),
        increase(f"{FINAL}_count", window=window),
    )


def _failed(window: str) -> str:
    """As the alerts count it: a failed session closes with 1011 mostly, so the larger of both."""
    sessions = increase(ENDED, FAILED, window=window)
    closes = increase("scripta_gateway_closes_total", 'code="1011"', window=window)
    bad = (
        f'max by (namespace) (label_replace({sessions}, "seen_as", "session", "", "")'
        f' or label_replace({closes}, "seen_as", "close", "", ""))'
    )
    return ratio(bad, increase(ENDED, REALLY_ENDED, window=window))


def _budget_left(bad: str, allowed: float) -> str:
    return f"1 - ({bad}) / {allowed}"


def _burn(bad: str, allowed: float) -> str:
    return f"({bad}) / {allowed}"


HEALTH = Row(
    "Is it healthy?",
    [
        Panel(
            title="Finals in time",
            description="Share of finals within 1 s of the audio that decided the end of their "
            "segment, over the shown time. Objective: 99 %.",
            unit="percentunit",
            queries=[Query(_in_time("$__range"), "{{namespace}}")],
            limits=Limits(0.99, 0.98),
            width=4,
            figure=True,
        ),
        Panel(
            title="Sessions without fault",
            description="Share of the sessions that ended in the shown time without our fault. "
            "Objective: 99.5 %.",
            unit="percentunit",
            queries=[Query(f"1 - ({_failed('$__range')})", "{{namespace}}")],
            limits=Limits(0.995, 0.99),
            width=4,
            figure=True,
        ),
        Panel(
            title="Error budget left",
            description="What is left of the errors that the objectives allow for the shown time: "
            "below zero, an objective is missed. Choose 30 days to see a month's.",
            unit="percentunit",
            queries=[
                Query(
                    _budget_left(f"1 - {_in_time('$__range')}", LATE_ALLOWED),
                    "{{namespace}} finals",
                ),
                Query(_budget_left(_failed("$__range"), FAILED_ALLOWED), "{{namespace}} sessions"),
            ],
            limits=Limits(0.25, 0),
            width=4,
            figure=True,
        ),
        Panel(
            title="Live sessions",
            description="Sessions that the gateways hold, with or without a connection.",
            unit="short",
            queries=[Query(total("scripta_gateway_sessions"), "{{namespace}}")],
            width=4,
            figure=True,
        ),
        Panel(
            title="Slots wanted",
            description="Demand (waiting and leased sessions) over the slots of all living "
            "transcribers. At 75 % an autoscaler by demand adds a pod; above 100 % sessions wait.",
            unit="percentunit",
            queries=[
                Query(
                    ratio(
                        f"sum by (namespace) ({fleet('scripta_demand_sessions')})",
                        f"sum by (namespace) ({fleet('scripta_slots')})",
                    ),
                    "{{namespace}}",
                )
            ],
            limits=Limits(0.75, 1),
            width=4,
            figure=True,
        ),
        Panel(
            title="Alerts",
            description="Alerts of Scripta that fire now. Each has a runbook in docs/runbooks.",
            unit="short",
            queries=[
                Query(
                    'count(ALERTS{namespace=~"$namespace", alertname=~"Scripta.+", '
                    'alertstate="firing"}) or vector(0)',
                    "firing",
                )
            ],
            limits=Limits(1, 1),
            width=4,
            figure=True,
        ),
    ],
)

OBJECTIVES = Row(
    "Objectives",
    [
        Panel(
            title="Budget burnt by late finals",
            description="How many times faster than allowed the budget of late finals (1 %) is "
            "used up. The page comes at 14.4 in both 5 minutes and 1 hour, the ticket at 6 in 30 "
            "minutes and 6 hours.",
            unit="suffix:×",
            queries=[
                Query(_burn(f"1 - {_in_time(window)}", LATE_ALLOWED), f"{{{{namespace}}}} {window}")
                for window in ("5m", "1h", "6h")
            ],
            limits=Limits(6, 14.4),
            width=12,
        ),
        Panel(
            title="Budget burnt by failed sessions",
            description="How many times faster than allowed the budget of failed sessions "
            "(0.5 %) is used up. The same windows as for finals.",
            unit="suffix:×",
            queries=[
                Query(_burn(_failed(window), FAILED_ALLOWED), f"{{{{namespace}}}} {window}")
                for window in ("5m", "1h", "6h")
            ],
            limits=Limits(6, 14.4),
            width=12,
        ),
    ],
)

WORK = Row(
    "Rate, errors, duration",
    [
        Panel(
            title="Sessions",
            description="Sessions opened, taken up again by their client after a break, and ended.",
            unit="cps",
            queries=[
                Query(per_second("scripta_gateway_sessions_opened_total"), "{{namespace}} opened"),
                Query(
                    per_second("scripta_gateway_sessions_resumed_total"), "{{namespace}} resumed"
                ),
                Query(per_second(ENDED), "{{namespace}} ended"),
            ],
        ),
        Panel(
            title="Speech coming in",
            description="Seconds of audio accepted in a second: as many clients as would send this "
            "much in real time.",
            unit="suffix:s/s",
            queries=[Query(per_second("scripta_gateway_audio_seconds_total"), "{{namespace}}")],
        ),
        Panel(
            title="Results",
            description="Finals and interims delivered to clients. Under load, interims are "
            "skipped first.",
            unit="cps",
            queries=[
                Query(per_second("scripta_gateway_finals_total"), "{{namespace}} finals"),
                Query(per_second("scripta_gateway_interims_total"), "{{namespace}} interims"),
            ],
        ),
        Panel(
            title="Sessions by outcome",
            description="How sessions ended. `failed` is our fault; `abandoned`: the client did "
            "not come back; `handed_over` and `superseded` go on elsewhere.",
            unit="cps",
            queries=[
                Query(per_second(ENDED, by=("namespace", "outcome")), "{{namespace}} {{outcome}}")
            ],
            stacked=True,
        ),
        Panel(
            title="Closes by code",
            description="1000 done, 1001 idle, 1006 lost, 1011 our fault, 1012 the gateway is "
            "restarting and clients come back, 1013 no room.",
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
            description="Clients refused before they had a session: 400 for their own fault, 503 "
            "for ours. `no_capacity` needs more transcribers, `gateway_full` more gateways.",
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
            title="Latency of finals",
            description="From the arrival of the audio that decided the end of a segment to its "
            "final on the client's socket. Objective: 99 % within 1 s.",
            unit="s",
            queries=[
                Query(quantile(share, FINAL), f"{{{{namespace}}}} p{share * 100:.0f}")
                for share in (0.5, 0.95, 0.99)
            ],
            limits=Limits(0.5, 1),
        ),
        Panel(
            title="Latency of the first interim",
            description="From the arrival of a segment's first audio to its first interim on the "
            "client's socket. Of sessions that ask for interims.",
            unit="s",
            queries=[
                Query(quantile(share, FIRST_INTERIM), f"{{{{namespace}}}} p{share * 100:.0f}")
                for share in (0.5, 0.95)
            ],
            limits=Limits(1, 2),
        ),
        Panel(
            title="Where a final's time goes",
            description="Mean of each part; together they are the mean latency. append: into the "
            "log. queue: to the engine, which grows when transcribers are short. decode: the "
            "engine. commit: back into the log. relay: to the socket.",
            unit="s",
            queries=[
                Query(
                    mean(
                        "scripta_gateway_latency_part_seconds",
                        'result="final"',
                        by=("namespace", "part"),
                    ),
                    "{{namespace}} {{part}}",
                )
            ],
            stacked=True,
        ),
    ],
)

ROOM = Row(
    "Demand and room",
    [
        Panel(
            title="Demand and slots",
            description="Sessions that want a slot and slots there are, pool by pool. Where demand "
            "is above slots, sessions wait.",
            unit="short",
            queries=[
                Query(fleet("scripta_demand_sessions"), "{{namespace}} {{pool}} demand"),
                Query(fleet("scripta_slots"), "{{namespace}} {{pool}} slots"),
                Query(fleet("scripta_sessions_waiting"), "{{namespace}} {{pool}} waiting"),
            ],
        ),
        Panel(
            title="Audio not transcribed yet",
            description="Accepted audio that no final covers, of the median session and of the "
            "worst. An open segment counts, so up to 20 s are normal; an upload fills its whole "
            "backlog of 60 s.",
            unit="s",
            queries=[
                Query(
                    ratio(
                        "sum by (namespace) ("
                        + select("scripta_gateway_audio_lag_seconds", 'stat="p50"')
                        + f" * ignoring (stat) ({select('scripta_gateway_sessions')} > 0))",
                        total("scripta_gateway_sessions"),
                    ),
                    "{{namespace}} median",
                ),
                Query(
                    largest("scripta_gateway_audio_lag_seconds", 'stat="max"'),
                    "{{namespace}} worst",
                ),
            ],
        ),
        Panel(
            title="Pods by version",
            description="Pods of each service that are scraped. Two versions of one service: a "
            "rollout is under way.",
            unit="short",
            queries=[
                Query(
                    f"count by (namespace, service, version) ({select('scripta_build_info')})",
                    "{{namespace}} {{service}} {{version}}",
                )
            ],
        ),
    ],
)

BOARD = Board(
    uid="scripta-overview",
    title="Overview",
    description="Is it healthy, how late are the words, is there room?",
    rows=[HEALTH, OBJECTIVES, WORK, ROOM],
)
