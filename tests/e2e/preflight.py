"""Whether the suite may run at all, and if not, why."""

from __future__ import annotations

import json
import os
import shutil

from .commands import CommandFailed, run
from .settings import E2ESettings

WANTED = "SCRIPTA_E2E"
_LAPTOP_NODES = 3


def is_wanted() -> bool:
    """Returns whether the suite was asked for."""
    return bool(os.environ.get(WANTED))


def reason_to_skip(settings: E2ESettings) -> str:
    """Returns why nothing may touch a cluster; nothing if it may.

    A cluster of more than a few nodes is somebody's: its context must be named, so that nobody
    comes upon it just because it is the current one.
    """
    for program in ("kubectl", "helm"):
        if shutil.which(program) is None:
            return f"{program} is not on the PATH"
    context = ["--context", settings.context] if settings.context else []
    try:
        if not settings.context:
            run(["kubectl", "config", "current-context"])
        nodes = run(["kubectl", *context, "get", "nodes", "--output", "json"], seconds=30)
    except CommandFailed as error:
        return f"no cluster can be reached: {error}"
    count = len(json.loads(nodes)["items"])
    if count > _LAPTOP_NODES and not settings.context:
        return f"the current context has {count} nodes: name it in {WANTED}_CONTEXT if you mean it"
    return ""


def current_context(settings: E2ESettings) -> str:
    """Returns the context that is used."""
    return settings.context or run(["kubectl", "config", "current-context"]).strip()
