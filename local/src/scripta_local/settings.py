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
    model: str = Field(
        "moonshine-tiny-en",
        description="Model that is served; `whisper-base` is served beside it, for other "
        "languages. With ENGINE it is the transcribers' own setting",
    )
    engine: str = Field("", description="Engine of the transcribers; by default that of the model")
    demo: bool = Field(True, description="Whether to transcribe the sample once all is ready")

    @field_validator("model", "engine")
    @classmethod
    def _spaces_do_not_count(cls, value: str) -> str:
        return value.strip()

    @field_validator("redis_url")
    @classmethod
    def _empty_is_not_set(cls, value: str | None) -> str | None:
        return value or None


def inherited_environment() -> dict[str, str]:
    """Returns this process's environment, which children get too."""
    return dict(os.environ)
