"""What ``make run`` reads from the environment, and nothing else here does."""

from __future__ import annotations

import os

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class LocalSettings(BaseSettings):
    """Options of ``make run``; names are the environment's, in lower case."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    app_host: str = Field("127.0.0.1", description="Address of the gateway")
    app_port: int = Field(8000, ge=1, le=65535, description="Port of the gateway")
    redis_url: str | None = Field(None, description="Broker to use; an embedded one if not set")
    transcribers: int = Field(1, ge=1, le=64, description="How many transcribers to start")
    engine: str = Field("moonshine", description="Engine of the transcribers")
    demo: bool = Field(True, description="Whether to transcribe the sample once all is ready")

    @field_validator("redis_url")
    @classmethod
    def _empty_is_not_set(cls, value: str | None) -> str | None:
        return value or None


def inherited_environment() -> dict[str, str]:
    """Returns this process's environment, which children get too."""
    return dict(os.environ)
