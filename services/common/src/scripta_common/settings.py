"""Settings that every service has, read from the environment and nowhere else."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from scripta_common.topology import Topology

_ENDPOINT = r"^(https?://\S+)?$"


class CommonSettings(BaseSettings):
    """What gateway and transcriber read alike; names are the environment's, in lower case."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    redis_url: str = Field(
        "redis://localhost:6379/0",
        description="Redis or Valkey: redis://[user:password@]host:port/db, redis+sentinel://… or "
        "redis+cluster://…; with TLS rediss instead of redis",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level that is logged"
    )
    log_format: Literal["json", "human"] = Field(
        "json",
        description="Form of a log line: json, an object for programs, or human, text for a person",
    )
    lease_seconds: float = Field(
        1.5,
        ge=0.5,
        le=60,
        description="A session whose transcriber gave no sign for so long is taken over",
    )
    session_ttl_seconds: float = Field(
        120,
        ge=30,
        description="A session that no gateway keeps alive is forgotten after this, as are the "
        "results of an ended one",
    )

    drain_seconds: float = Field(
        8,
        ge=2,
        le=3600,
        description="How long a process that is told to stop may take to send its clients, or its "
        "sessions, elsewhere",
    )
    scripta_revision: str = Field(
        "unknown", max_length=64, description="Commit that it was built from, for the metrics"
    )

    otel_exporter_otlp_endpoint: str = Field(
        "",
        pattern=_ENDPOINT,
        description="Collector that gets traces by OTLP over HTTP, such as http://collector:4318; "
        "none if empty. The other standard OTEL_ variables hold, too",
    )
    otel_exporter_otlp_traces_endpoint: str = Field(
        "", pattern=_ENDPOINT, description="The same as a whole URL, with its path"
    )

    @field_validator("redis_url")
    @classmethod
    def _readable(cls, url: str) -> str:
        Topology.parse(url)
        return url


def mask_password(url: str) -> str:
    """Returns a broker URL with its passwords replaced by ``***``."""
    url = re.sub(r"(?<=[?&]sentinel_password=)[^&]*", "***", url)
    return re.sub(r"(?<=://)([^/?:@]*):[^/?]*@", r"\1:***@", url)
