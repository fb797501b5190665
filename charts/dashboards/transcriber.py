"""The transcriber: how full its slots are, how busy the engine, how the leases go."""

from __future__ import annotations

from .grafana import Board, Limits, Panel, Query, Row
from .processes import process_row
from .promql import POD, POD_LEGEND, largest, per_second, quantile, ratio, select, total

DECODE = "scripta_transcriber_decode_seconds"
DECODED = "scripta_transcriber_decoded_audio_seconds_total"
QUEUE = "scripta_transcriber_queue_seconds"
KIND = ("namespace", "kind")
KIND_LEGEND = "{{namespace}} {{kind}}"

SLOTS = Row(
    "Slots",
    [
        Panel(
            title="Slots in use",
            description="Sessions of a transcriber, as a share of its slots. Uploads lend their "
            "slots to live sessions, so it can be over 1.",
            unit="percentunit",
            queries=[
                Query(
                    ratio(
                        total("scripta_transcriber_slots_in_use", by=POD),
                        total("scripta_transcriber_slots", by=POD),
                    ),
                    POD_LEGEND,
                )
            ],
            limits=Limits(0.75, 1),
        ),
        Panel(
            title="Sessions and slots",
            description="Slots of all transcribers and those in use.",
            unit="short",
            queries=[
                Query(total("scripta_transcriber_slots"), "{{namespace}} slots"),
                Query(total("scripta_transcriber_slots_in_use"), "{{namespace}} in use"),
            ],
        ),
        Panel(
            title="Claims",
            description="Sessions taken up. new: from the line. handoff: from a transcriber that "
            "stops, as in a rollout. expired: from one that fell silent, a takeover.",
            unit="cps",
            queries=[
                Query(
                    per_second("scripta_transcriber_claims_total", by=("namespace", "how")),
                    "{{namespace}} {{how}}",
                )
            ],
            stacked=True,
        ),
        Panel(
            title="Sessions moved",
            description="Live sessions handed over because another transcriber of the pool had "
            "less to do: after a scale-up or a takeover, and then no more.",
            unit="cps",
            queries=[
                Query(per_second("scripta_transcriber_sessions_moved_total", by=POD), POD_LEGEND)
            ],
        ),
        Panel(
            title="Fenced commits",
            description="Commits refused because another transcriber has the session: the former "
            "owner was alive after all. Many: pods are short of processor time.",
            unit="cps",
            queries=[
                Query(per_second("scripta_transcriber_fenced_commits_total", by=POD), POD_LEGEND)
            ],
        ),
        Panel(
            title="Sessions failed",
            description="Sessions that could not be transcribed, by reason.",
            unit="cps",
            queries=[
                Query(
                    per_second(
                        "scripta_transcriber_sessions_failed_total", by=("namespace", "reason")
                    ),
                    "{{namespace}} {{reason}}",
                )
            ],
            stacked=True,
        ),
        Panel(
            title="Results",
            description="Finals and interims made, and interims skipped because there was no time "
            "for them: the first thing to go under load.",
            unit="cps",
            queries=[
                Query(per_second("scripta_transcriber_finals_total"), "{{namespace}} finals"),
                Query(per_second("scripta_transcriber_interims_total"), "{{namespace}} interims"),
                Query(
                    per_second("scripta_transcriber_interims_skipped_total"),
                    "{{namespace}} skipped",
                ),
            ],
        ),
    ],
)

ENGINE = Row(
    "Engine",
    [
        Panel(
            title="Engines",
            description="Transcribers by engine and model.",
            unit="short",
            queries=[
                Query(
                    "count by (namespace, engine, model) "
                    f"({select('scripta_transcriber_engine_info')})",
                    "{{namespace}} {{engine}} {{model}}",
                )
            ],
            width=4,
        ),
        Panel(
            title="Model load time",
            description="How long the model took to load when the pod started: what a new pod "
            "costs before it can help.",
            unit="s",
            queries=[Query(largest("scripta_transcriber_model_load_seconds", by=POD), POD_LEGEND)],
            width=4,
        ),
        Panel(
            title="Engine in use",
            description="Seconds of engine time in a second, pod by pod. As much as the pod has "
            "threads: it is full.",
            unit="suffix: threads",
            queries=[Query(per_second(f"{DECODE}_sum", by=POD), POD_LEGEND)],
        ),
        Panel(
            title="Real-time factor",
            description="Engine time for a second of audio. Interims decode the same audio again "
            "and again. 1 means that a thread can just keep up with one speaker.",
            unit="none",
            queries=[
                Query(
                    ratio(per_second(f"{DECODE}_sum", by=KIND), per_second(DECODED, by=KIND)),
                    KIND_LEGEND,
                )
            ],
            limits=Limits(0.5, 1),
        ),
        Panel(
            title="Decoding, p50 and p95",
            description="Time the engine takes for one final or one interim.",
            unit="s",
            queries=[
                Query(quantile(0.5, DECODE, by=KIND), f"{KIND_LEGEND} p50"),
                Query(quantile(0.95, DECODE, by=KIND), f"{KIND_LEGEND} p95"),
            ],
        ),
        Panel(
            title="Waiting for the engine, p95",
            description="From asking the scheduler to the engine's start. Finals go first; if "
            "theirs grows, the pod has more sessions than it can serve in time.",
            unit="s",
            queries=[Query(quantile(0.95, QUEUE, by=KIND), KIND_LEGEND)],
            limits=Limits(0.3, 1),
        ),
        Panel(
            title="Commit, p95",
            description="Time to write a final into the session log, pod by pod.",
            unit="s",
            queries=[
                Query(quantile(0.95, "scripta_transcriber_commit_seconds", by=POD), POD_LEGEND)
            ],
            limits=Limits(0.1, 0.5),
        ),
    ],
)

BOARD = Board(
    uid="scripta-transcriber",
    title="Transcriber",
    description="How full the slots are, how busy the engine, and how leases change hands.",
    rows=[SLOTS, ENGINE, process_row("scripta_transcriber_slots")],
)
