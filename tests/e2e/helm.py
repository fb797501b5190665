"""helm for one release of the chart; works with Helm 3 and 4."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .commands import run

CHART = Path(__file__).resolve().parents[2] / "charts" / "scripta"


@dataclass(frozen=True, slots=True)
class Helm:
    """Runs ``helm``.

    It never waits for pods: the suite looks itself, and says what is missing.

    Attributes:
        context: Kube context; empty for the current one.
        namespace: Where the release is.
        release: Its name.
    """

    context: str
    namespace: str
    release: str

    def install(self, values: Sequence[str]) -> None:
        """Installs the chart; ``values`` are arguments that set values."""
        self._run("install", self.release, str(CHART), *values)

    def upgrade(self, values: Sequence[str], *, force: bool = False) -> None:
        """Upgrades to these values.

        Args:
            values: Arguments that set values.
            force: Whether to take fields back that others, such as an autoscaler, have set.
        """
        conflicts = ["--force-conflicts"] if force and self._major() >= 4 else []
        self._run("upgrade", self.release, str(CHART), *conflicts, *values)

    def rollback(self, revision: int) -> None:
        """Goes back to a revision."""
        self._run("rollback", self.release, str(revision))

    def uninstall(self) -> None:
        """Removes the release."""
        self._run("uninstall", self.release, "--wait", "--timeout", "180s", seconds=200.0)

    def test(self, seconds: float) -> str:
        """Runs the chart's own test; returns what helm says."""
        return self._run("test", self.release, "--timeout", f"{seconds:.0f}s", seconds=seconds + 20)

    def history(self) -> list[dict[str, Any]]:
        """Returns the revisions, the newest last."""
        found: list[dict[str, Any]] = json.loads(
            self._run("history", self.release, "--output", "json")
        )
        return sorted(found, key=lambda each: int(each["revision"]))

    def _major(self) -> int:
        return int(run(["helm", "version", "--template", "{{.Version}}"]).lstrip("v").split(".")[0])

    def _run(self, *arguments: str, seconds: float = 120.0) -> str:
        context = ["--kube-context", self.context] if self.context else []
        return run(["helm", *context, "--namespace", self.namespace, *arguments], seconds=seconds)
