"""What the suite is told by its environment: everything starts with ``SCRIPTA_E2E``."""

from __future__ import annotations

import secrets
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_NOT_OURS = ("default", "kube-")
_NEW_NAMESPACE = "scripta-e2e-"


class E2ESettings(BaseSettings):
    """Where the suite runs and with what; names are the environment's behind the prefix."""

    model_config = SettingsConfigDict(
        env_prefix="SCRIPTA_E2E_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    context: str = Field("", description="Kube context; empty: the current one")
    namespace: str = Field("", description="Namespace to use; empty: a new one, deleted at the end")
    release: str = Field("scripta", description="Name of the release")
    keep: bool = Field(False, description="Leaves release and namespace as they are at the end")
    gateway_image: str = Field("", description="repository:tag; empty: the chart's")
    transcriber_image: str = Field("", description="repository:tag; empty: the chart's")
    broker_image: str = Field("", description="repository:tag; empty: the chart's")
    pull_policy: str = Field("IfNotPresent", description="Of all three images")
    values: str = Field("", description="Further values files, with commas between them")
    set: str = Field("", description="Further values as of helm --set, with blanks between them")
    node_address: str = Field(
        "", description="A node's address: come in by a NodePort; empty: by kubectl port-forward"
    )
    engine: str = Field("moonshine", description="moonshine; mock leaves out what needs words")
    sessions: int = Field(6, ge=1, le=12, description="Live sessions during each disturbance")
    time_factor: float = Field(1.0, gt=0, le=20, description="Makes all time limits longer")

    @field_validator("namespace")
    @classmethod
    def _may_be_used(cls, namespace: str) -> str:
        if namespace.startswith(_NOT_OURS):
            raise ValueError(f"the suite does not touch the namespace {namespace}")
        return namespace

    @field_validator("gateway_image", "transcriber_image", "broker_image")
    @classmethod
    def _has_tag(cls, image: str) -> str:
        if image and ":" not in image.rpartition("/")[2]:
            raise ValueError(f"{image} has no tag: write repository:tag")
        return image

    @property
    def makes_namespace(self) -> bool:
        """Whether the namespace is the suite's own."""
        return not self.namespace

    @property
    def values_files(self) -> tuple[Path, ...]:
        """Further values files."""
        return tuple(Path(name).resolve() for name in self.values.split(",") if name)

    @property
    def sets(self) -> tuple[str, ...]:
        """Further values as ``name=value``."""
        return tuple(self.set.split())

    @property
    def hears_words(self) -> bool:
        """Whether the engine knows what was said."""
        return self.engine != "mock"

    def limit(self, seconds: float) -> float:
        """Returns a time limit of the suite for this cluster."""
        return seconds * self.time_factor


def new_namespace() -> str:
    """Returns a name that no namespace has."""
    return _NEW_NAMESPACE + secrets.token_hex(3)
