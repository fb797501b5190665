"""What the processes of a service use: panels that both services' dashboards have."""

from __future__ import annotations

from .grafana import Limits, Panel, Query, Row
from .promql import POD, POD_LEGEND, RATE, of_process, quantile, select


def process_row(witness: str) -> Row:
    """Returns what the processes of one service use.

    Args:
        witness: A metric that only this service exports, without labels of its own.
    """
    cpu = f"rate({select('process_cpu_seconds_total')}[{RATE}])"
    return Row(
        "Processes",
        [
            Panel(
                title="Processor time",
                description="Cores in use, pod by pod.",
                unit="suffix: cores",
                queries=[Query(of_process(cpu, witness), POD_LEGEND)],
            ),
            Panel(
                title="Memory",
                description="Resident memory, pod by pod. The pod's limit kills above it.",
                unit="bytes",
                queries=[
                    Query(of_process(select("process_resident_memory_bytes"), witness), POD_LEGEND)
                ],
            ),
            Panel(
                title="Event-loop lag",
                description="By how much the event loop is late, 99th percentile. Above 0.25 s "
                "the pod is short of processor time, and heartbeats and pings come late too.",
                unit="s",
                queries=[
                    Query(
                        of_process(
                            quantile(0.99, "scripta_event_loop_lag_seconds", by=(*POD, "instance")),
                            witness,
                        ),
                        POD_LEGEND,
                    )
                ],
                limits=Limits(0.05, 0.25),
            ),
        ],
    )
