"""Settings that every service has, read from the environment and nowhere else."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import parse_qsl, quote

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from scripta_common.topology import SHOWN_OPTIONS, BadBrokerUrl, Topology

_MASK: Final = "***"
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
    """Returns a broker URL without anything that may be a password.

    What is shown is put together from what the URL means, so that no way of writing a password
    gets past. A name without a password is masked, too: it is mostly a password in the wrong place.
    Of a URL that can not be used nothing is shown but its scheme.
    """
    scheme, _, rest = url.partition("://")
    try:
        Topology.parse(url)
    except BadBrokerUrl:
        return f"{scheme}://{_MASK}" if scheme.isascii() and rest else _MASK
    address, question, query = rest.partition("?")
    netloc, slash, place = address.partition("/")
    credentials, at, hosts = netloc.rpartition("@")
    name, _, secret = credentials.partition(":")
    if credentials:
        credentials = f"{name}:{_MASK}" if secret else _MASK
    options = [
        f"{quote(option)}={quote(value, safe='/') if option in SHOWN_OPTIONS else _MASK}"
        for option, value in parse_qsl(query, keep_blank_values=True)
    ]
    return f"{scheme}://{credentials}{at}{hosts}{slash}{place}{question}{'&'.join(options)}"
