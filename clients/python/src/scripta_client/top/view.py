"""What the screen shows and ``--json`` prints.

Times are in seconds, rates per second; counts with ``in_window`` are those of the last
``window_seconds``. ``None`` is what is not exported, or not known yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How the system is, from best to worst."""

    HEALTHY = "healthy"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an operator should know, in words.

    Attributes:
        health: How bad it is; what is only news is ``healthy``.
        text: One line.
    """

    health: Health
    text: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway; all but its name is ``None`` while it does not answer."""

    name: str
    error: str = ""
    draining: bool | None = None
    sessions: float | None = None
    connections: float | None = None
    opened_rate: float | None = None
    audio_rate: float | None = None
    message_rate: float | None = None
    lag_p50_seconds: float | None = None
    lag_max_seconds: float | None = None
    loop_lag_p95_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Transcriber:
    """A transcriber; all but its name is ``None`` while it does not answer.

    Attributes:
        final_real_time_factor: Seconds of decoding a second of audio, for finals.
        interim_real_time_factor: The same for interims.
    """

    name: str
    error: str = ""
    slots: float | None = None
    slots_in_use: float | None = None
    final_real_time_factor: float | None = None
    interim_real_time_factor: float | None = None
    final_rate: float | None = None
    queue_p95_seconds: float | None = None
    takeovers_in_window: float | None = None
    fenced_in_window: float | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """What a pool is asked for, against what it has."""

    name: str
    demand: float | None
    slots: float | None
    waiting: float | None
    leased: float | None
    transcribers: float | None


@dataclass(frozen=True, slots=True)
class Fleet:
    """All pools, as the gateway that has seen them last knows them.

    Attributes:
        age_seconds: When that was.
        pools: By name; none if there are none, or nobody can see them.
    """

    age_seconds: float | None
    pools: tuple[Pool, ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """How long something took within the window.

    Attributes:
        count: How often it happened; ``None`` if it is not exported.
        ceiling_seconds: Quantiles of this value may be longer in truth.
        within_target: The share within the target of the SLO.
        parts: Mean of each part; they add up to the mean.
    """

    count: float | None
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    mean_seconds: float | None
    ceiling_seconds: float | None
    within_target: float | None
    parts: dict[str, float]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What comes in and what becomes of it, over all gateways.

    Attributes:
        refusals_in_window: Clients refused before the upgrade, by reason; only reasons there were.
        sessions_held_back: Sessions that are held back, on average.
    """

    sessions: float | None
    connections: float | None
    opened_rate: float | None
    audio_rate: float | None
    message_rate: float | None
    final_rate: float | None
    refused_message_rate: float | None
    refusals_in_window: dict[str, float] | None
    failed_in_window: float | None
    sessions_held_back: float | None
    lag_p50_seconds: float | None
    lag_max_seconds: float | None


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker, as the services see it.

    Attributes:
        errors_in_window: By kind; only kinds there were.
    """

    memory_bytes: float | None
    memory_limit_bytes: float | None
    command_p95_seconds: float | None
    errors_in_window: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class View:
    """All of it at one moment.

    Attributes:
        at: Seconds since 1970.
        window_seconds: What rates and latencies are over; ``None`` before a second look.
        silent: Processes that do not answer and never did, with the reason.
    """

    at: float
    window_seconds: float | None
    traffic: Traffic
    final: Latency
    first_interim: Latency
    fleet: Fleet
    gateways: tuple[Gateway, ...]
    transcribers: tuple[Transcriber, ...]
    broker: Broker
    silent: dict[str, str]
