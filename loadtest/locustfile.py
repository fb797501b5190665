"""What Locust loads: users that stream a recording to a Scripta gateway as live speakers do."""

from __future__ import annotations

from typing import Any

from locust import events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from scripta_load.kit import Kit
from scripta_load.options import add_arguments
from scripta_load.processes import MasterKit, WorkerKit
from scripta_load.user import Speaker

__all__ = ["Speaker"]


def _on_init(environment: Environment, runner: Any, **_: Any) -> None:
    if isinstance(runner, MasterRunner):
        Speaker.kit = MasterKit(environment, runner)
    elif isinstance(runner, WorkerRunner):
        Speaker.kit = WorkerKit(environment, runner)
    else:
        Speaker.kit = Kit(environment)


events.init_command_line_parser.add_listener(add_arguments)
events.init.add_listener(_on_init)
