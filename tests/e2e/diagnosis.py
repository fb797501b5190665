"""What a failed test's report says of the cluster: states, events and the ends of logs.

The services log no transcripts; of the client's pods only what is no result is quoted.
"""

from __future__ import annotations

from collections.abc import Callable

from .commands import CommandFailed
from .kubectl import Kubectl

_LOG_LINES = 40
_DESCRIPTION_LINES = 160
_EVENT_LINES = 40


def describe(kubectl: Kubectl, selector: str) -> str:
    """Returns what is to be seen in the namespace; what can not be had is left out."""
    parts = [
        _part("pods", lambda: kubectl.run("get", "pods", "--output", "wide")),
        _part(
            "workloads",
            lambda: kubectl.run("get", "deployments,statefulsets,horizontalpodautoscalers"),
        ),
        _part("events", lambda: _tail(_events(kubectl), _EVENT_LINES)),
        _part(
            "pods of the release",
            lambda: _tail(
                kubectl.run("describe", "pods", "--selector", selector), _DESCRIPTION_LINES
            ),
        ),
        *(_logs(kubectl, pod) for pod in _pods(kubectl)),
    ]
    return "\n".join(part for part in parts if part)


def _events(kubectl: Kubectl) -> str:
    return kubectl.run("get", "events", "--sort-by=.lastTimestamp")


def _pods(kubectl: Kubectl) -> list[str]:
    try:
        return sorted(kubectl.names(["pods"]))
    except CommandFailed:
        return []


def _logs(kubectl: Kubectl, pod: str) -> str:
    name = pod.partition("/")[2]
    tail = f"--tail={_LOG_LINES}"
    now = _part(f"log of {name}", lambda: _quotable(kubectl.run("logs", name, tail), name))
    before = _part(
        f"log of {name} before its restart",
        lambda: _quotable(kubectl.run("logs", name, tail, "--previous"), name),
        missing="",
    )
    return now + before


def _quotable(log: str, pod: str) -> str:
    if not pod.startswith("e2e-"):
        return log
    return "\n".join(line for line in log.splitlines() if not line.startswith("{"))


def _part(title: str, read: Callable[[], str], missing: str = "can not be read") -> str:
    try:
        text = read().strip()
    except CommandFailed:
        text = missing
    return f"--- {title}\n{text}\n" if text else ""


def _tail(text: str, lines: int) -> str:
    return "\n".join(text.splitlines()[-lines:])
