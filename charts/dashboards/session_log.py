"""The session log and autoscaling: the broker's state, and what drives the number of pods."""

from __future__ import annotations

from .grafana import Board, Limits, Panel, Query, Row
from .promql import POD, POD_LEGEND, fleet, largest, per_second, quantile, ratio, select

COMMANDS = "scripta_broker_command_seconds"
POOL_LEGEND = "{{namespace}} {{pool}}"

BROKER = Row(
    "Broker",
    [
        Panel(
            title="Memory in use",
            description="Share of the memory that the broker's data may take. At 100 % it accepts "
            "no audio; nothing is evicted. Empty if the broker has no limit.",
            unit="percentunit",
            queries=[
                Query(
                    ratio(
                        largest("scripta_broker_memory_bytes"),
                        largest("scripta_broker_memory_limit_bytes"),
                    ),
                    "{{namespace}}",
                )
            ],
            limits=Limits(0.6, 0.8),
            highest=1,
        ),
        Panel(
            title="Memory",
            description="What the broker's data takes, and its limit (0: none). A live session "
            "takes about 0.2 MB.",
            unit="bytes",
            queries=[
                Query(largest("scripta_broker_memory_bytes"), "{{namespace}} used"),
                Query(largest("scripta_broker_memory_limit_bytes"), "{{namespace}} limit"),
            ],
        ),
        Panel(
            title="Errors by kind",
            description="Commands that failed. timeout, connection: the way there. memory: it is "
            "full. readonly, loading: a failover or a restart.",
            unit="cps",
            queries=[
                Query(
                    per_second("scripta_broker_errors_total", by=("namespace", "kind")),
                    "{{namespace}} {{kind}}",
                )
            ],
            stacked=True,
        ),
        Panel(
            title="Commands",
            description="Commands and scripts, by name, from all pods.",
            unit="cps",
            queries=[
                Query(
                    per_second(f"{COMMANDS}_count", by=("namespace", "command")),
                    "{{namespace}} {{command}}",
                )
            ],
            stacked=True,
        ),
        Panel(
            title="Command latency, p99",
            description="From sending a command to its answer, as the services see it. All "
            "commands alike: the broker or the network; one alone: its script.",
            unit="s",
            queries=[
                Query(
                    quantile(0.99, COMMANDS, by=("namespace", "command")),
                    "{{namespace}} {{command}}",
                )
            ],
            limits=Limits(0.05, 0.25),
        ),
        Panel(
            title="Command latency by pod, p99",
            description="The same by pod. One pod alone: its event loop or its node.",
            unit="s",
            queries=[Query(quantile(0.99, COMMANDS, by=POD), POD_LEGEND)],
            limits=Limits(0.05, 0.25),
        ),
    ],
)

SCALING = Row(
    "Autoscaling",
    [
        Panel(
            title="Demand",
            description="Sessions of each pool: those that a transcriber has and those that wait. "
            "What an autoscaler by demand goes by.",
            unit="short",
            queries=[
                Query(fleet("scripta_sessions_leased"), f"{POOL_LEGEND} leased"),
                Query(fleet("scripta_sessions_waiting"), f"{POOL_LEGEND} waiting"),
            ],
            stacked=True,
        ),
        Panel(
            title="Demand against slots",
            description="Demand over slots, pool by pool. The autoscaler aims at 75 %; above "
            "100 % sessions wait.",
            unit="percentunit",
            queries=[
                Query(
                    f"{fleet('scripta_demand_sessions')} / ({fleet('scripta_slots')} > 0)",
                    POOL_LEGEND,
                )
            ],
            limits=Limits(0.75, 1),
        ),
        Panel(
            title="Slots",
            description="Slots of the living transcribers, but those that load or drain.",
            unit="short",
            queries=[Query(fleet("scripta_slots"), POOL_LEGEND)],
        ),
        Panel(
            title="Transcribers",
            description="Living transcribers of each pool, those of an older release that do not "
            "count usage, and how many pods each HPA wants if kube-state-metrics is scraped.",
            unit="short",
            queries=[
                Query(fleet("scripta_transcribers"), POOL_LEGEND),
                Query(fleet("scripta_unmetered_transcribers"), f"{POOL_LEGEND} unmetered"),
                Query(
                    select(
                        "kube_horizontalpodautoscaler_status_desired_replicas",
                        'horizontalpodautoscaler=~".*(gateway|transcriber).*"',
                    ),
                    "{{namespace}} {{horizontalpodautoscaler}} wanted",
                ),
            ],
        ),
        Panel(
            title="Pods",
            description="Pods of each service that are scraped.",
            unit="short",
            queries=[
                Query(
                    f"count by (namespace, service) ({select('scripta_build_info')})",
                    "{{namespace}} {{service}}",
                )
            ],
        ),
        Panel(
            title="Age of the latest look",
            description="How long ago each gateway last saw the fleet. Above 10 s it says nothing "
            "of demand, and nothing scales by it.",
            unit="s",
            queries=[Query(largest("scripta_fleet_observation_age_seconds", by=POD), POD_LEGEND)],
            limits=Limits(5, 10),
        ),
    ],
)

LEASES = Row(
    "Leases",
    [
        Panel(
            title="Takeovers and handoffs",
            description="Sessions that changed hands: expired, because their transcriber fell "
            "silent; handoff, because it stopped in good order.",
            unit="cps",
            queries=[
                Query(
                    per_second(
                        "scripta_transcriber_claims_total",
                        'how=~"expired|handoff"',
                        by=("namespace", "how"),
                    ),
                    "{{namespace}} {{how}}",
                )
            ],
            width=12,
        ),
        Panel(
            title="Fenced commits",
            description="Commits of a former owner that the log refused. They do no harm; many "
            "mean that leases expire at transcribers that live.",
            unit="cps",
            queries=[
                Query(per_second("scripta_transcriber_fenced_commits_total"), "{{namespace}}")
            ],
            width=12,
        ),
    ],
)

BOARD = Board(
    uid="scripta-session-log",
    title="Session log and autoscaling",
    description="The broker's state, what drives the number of pods, how leases change hands.",
    rows=[BROKER, SCALING, LEASES],
)
