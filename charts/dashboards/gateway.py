"""The gateway: connections, what clients send, what they get, and when."""

from __future__ import annotations

from .grafana import Board, Limits, Panel, Query, Row
from .processes import process_row
from .promql import POD, POD_LEGEND, largest, mean, per_second, quantile, total

FINAL = "scripta_gateway_final_latency_seconds"
FIRST_INTERIM = "scripta_gateway_first_interim_latency_seconds"
PARTS = "scripta_gateway_latency_part_seconds"
DIALECT = ("namespace", "dialect")
DIALECT_LEGEND = "{{namespace}} {{dialect}}"
TENANT = ("namespace", "tenant")
TENANT_LEGEND = "{{namespace}} {{tenant}}"

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

AUDIO = Row(
    "What clients send",
    [
        Panel(
            title="Messages",
            description="Audio messages acknowledged, pod by pod.",
            unit="cps",
            queries=[Query(per_second("scripta_gateway_messages_total", by=POD), POD_LEGEND)],
        ),
        Panel(
            title="Messages refused",
            description="Messages that were empty, too large or no audio. Clients' own faults, "
            "unless a new version of ours brought them.",
            unit="cps",
            queries=[
                Query(per_second("scripta_gateway_messages_refused_total", by=POD), POD_LEGEND)
            ],
        ),
        Panel(
            title="Compressed streams",
            description="Streams that are open and decoded, each in a process of 5 MB, pod by pod.",
            unit="short",
            queries=[Query(total("scripta_gateway_decoders", by=POD), POD_LEGEND)],
        ),
        Panel(
            title="Decoders lost",
            description="Decoders that ended in mid-stream: they crashed, took too long or took "
            "memory that others needed. Each cost one stream; many are an attack, or a fault of "
            "a codec.",
            unit="cps",
            queries=[
                Query(
                    per_second("scripta_gateway_decoders_lost_total", by=("namespace", "reason")),
                    "{{namespace}} {{reason}}",
                )
            ],
        ),
        Panel(
            title="Key file and identity provider",
            description="1 while the key file has changed and can not be used, or the provider's "
            "keys can not be read. What was known before counts.",
            unit="short",
            queries=[
                Query(largest("scripta_gateway_key_file_failing"), "{{namespace}} key file"),
                Query(
                    largest("scripta_gateway_identity_provider_failing"), "{{namespace}} provider"
                ),
            ],
        ),
        Panel(
            title="Doubtful audio",
            description="Sessions whose undeclared raw audio looks like something else.",
            unit="cps",
            queries=[
                Query(
                    per_second(
                        "scripta_gateway_doubtful_audio_total", by=("namespace", "looks_like")
                    ),
                    "{{namespace}} {{looks_like}}",
                )
            ],
        ),
        Panel(
            title="Recordings fetched",
            description="Recordings that were to be fetched from a URL, by how that ended.",
            unit="cps",
            queries=[
                Query(
                    per_second("scripta_gateway_fetches_total", by=("namespace", "outcome")),
                    "{{namespace}} {{outcome}}",
                )
            ],
        ),
        Panel(
            title="Callbacks",
            description="Results that were sent to a URL, or given up, and further tries. A target "
            "that is gone costs its own call alone.",
            unit="cps",
            queries=[
                Query(
                    per_second("scripta_gateway_callbacks_total", by=("namespace", "outcome")),
                    "{{namespace}} {{outcome}}",
                ),
                Query(
                    per_second("scripta_gateway_callback_retries_total", by=("namespace",)),
                    "{{namespace}} tried again",
                ),
            ],
        ),
        Panel(
            title="Calls with a callback",
            description="Calls whose results are being sent to a URL, pod by pod.",
            unit="short",
            queries=[Query(total("scripta_gateway_callbacks_open", by=POD), POD_LEGEND)],
        ),
        Panel(
            title="Audio",
            description="Seconds of audio accepted in a second, pod by pod.",
            unit="suffix:s/s",
            queries=[Query(per_second("scripta_gateway_audio_seconds_total", by=POD), POD_LEGEND)],
        ),
        Panel(
            title="Audio by tenant",
            description="Audio accepted, in seconds a second: how many speak. Only if "
            "TENANT_METRICS is set; `other` are all beyond that number.",
            unit="short",
            queries=[
                Query(
                    per_second("scripta_gateway_tenant_audio_seconds_total", by=TENANT),
                    TENANT_LEGEND,
                )
            ],
            stacked=True,
        ),
        Panel(
            title="Sessions by tenant",
            description="Sessions held, and those opened a second. Only if TENANT_METRICS is set.",
            unit="short",
            queries=[
                Query(total("scripta_gateway_tenant_sessions", by=TENANT), TENANT_LEGEND),
                Query(
                    per_second("scripta_gateway_tenant_sessions_opened_total", by=TENANT),
                    f"{TENANT_LEGEND} opened",
                ),
            ],
        ),
        Panel(
            title="Sessions held back",
            description="Seconds of back-pressure in a second: so many sessions at a time may not "
            "send on, because their backlog is full. Uploads are, always; live speech never "
            "should.",
            unit="short",
            queries=[
                Query(per_second("scripta_gateway_backpressure_seconds_total", by=POD), POD_LEGEND)
            ],
        ),
        Panel(
            title="Audio not transcribed yet, median session",
            description="Accepted audio that no final covers. Up to 20 s are normal: an open "
            "segment counts.",
            unit="s",
            queries=[
                Query(
                    largest("scripta_gateway_audio_lag_seconds", 'stat="p50"', by=POD), POD_LEGEND
                )
            ],
            limits=Limits(20, 60),
        ),
        Panel(
            title="Audio not transcribed yet, worst session",
            description="The same of the session that is furthest behind. An upload fills its "
            "backlog of 60 s.",
            unit="s",
            queries=[
                Query(
                    largest("scripta_gateway_audio_lag_seconds", 'stat="max"', by=POD), POD_LEGEND
                )
            ],
        ),
    ],
)

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

BOARD = Board(
    uid="scripta-gateway",
    title="Gateway",
    description="Connections, what clients send, what they get and how soon.",
    rows=[CONNECTIONS, DIALECTS, AUDIO, RESULTS, process_row("scripta_gateway_sessions")],
)
