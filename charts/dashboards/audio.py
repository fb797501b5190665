"""What clients send to the gateway: messages, streams, audio, and how far behind it is."""

from __future__ import annotations

from .grafana import Limits, Panel, Query, Row
from .promql import POD, POD_LEGEND, largest, per_second, total

TENANT = ("namespace", "tenant")
TENANT_LEGEND = "{{namespace}} {{tenant}}"

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
