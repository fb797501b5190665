"""What can go wrong with the live view as a whole; a process that is down is part of the view."""

from __future__ import annotations

from scripta_client.errors import ScriptaError


class TopUnavailable(ScriptaError):
    """The libraries for it are not installed.

    Attributes:
        missing: Their names.
    """

    def __init__(self, missing: list[str]) -> None:
        super().__init__(
            f"no live view: {' and '.join(missing)} missing; pip install 'scripta-client[top]'"
        )
        self.missing = missing


class NoMetrics(ScriptaError):
    """Prometheus can not be asked, or its answer can not be shown as one system.

    Attributes:
        problem: What is the matter and what to do.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"no metrics: {problem}")
        self.problem = problem
