"""One test in many processes: Locust's master and workers.

The master takes the reference and sends it to the workers. When the test is over it has them end
their sessions and waits for their sums; only then Locust stops them.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gevent
from locust.env import Environment
from locust.rpc.protocol import Message
from locust.runners import WORKER_REPORT_INTERVAL, MasterRunner, WorkerRunner

from scripta_load.kit import Kit
from scripta_load.options import Options
from scripta_load.plan import Plan
from scripta_load.reference import Final, Reference
from scripta_load.tally import Tally

REFERENCE = "scripta_reference"
FINISH = "scripta_finish"
FINISHED = "scripta_finished"

_SPARE_SECONDS = 15.0
_POLL_SECONDS = 0.1


class MasterKit(Kit):
    """The share of the process that speaks to nobody and adds everything up."""

    def __init__(self, environment: Environment, runner: MasterRunner) -> None:
        self._runner = runner
        self._finished: set[str] = set()
        super().__init__(environment)

    def listen(self) -> None:
        """Listens to the workers, too."""
        super().listen()
        self.environment.events.worker_connect.add_listener(self._on_worker)
        self.environment.events.test_stopping.add_listener(self._on_stopping)
        self._runner.register_message(FINISHED, self._on_finished)

    def prepare(self, options: Options) -> None:
        """Tells the workers what to expect."""
        self._finished.clear()
        super().prepare(options)
        self._send_reference()

    def _send_reference(self, client_id: str | None = None) -> None:
        if self.reference is not None:
            self._runner.send_message(REFERENCE, asdict(self.reference), client_id)

    def _on_worker(self, client_id: str, **_: Any) -> None:
        self._send_reference(client_id)

    def _on_stopping(self, **_: Any) -> None:
        if self.plan is None:
            return
        speaking = {
            worker.id
            for worker in self._runner.clients.all
            if worker.user_classes_count and worker.state != "missing"
        }
        self._runner.send_message(FINISH)
        with gevent.Timeout(self.environment.stop_timeout + _SPARE_SECONDS, False):
            while not speaking <= self._finished:
                gevent.sleep(_POLL_SECONDS)
        for worker in speaking - self._finished:
            self.tally.broken[f"worker {worker} gave no account"] += 1

    def _on_finished(self, msg: Message, **_: Any) -> None:
        self._finished.add(msg.node_id)
        self.tally.add(Tally.of(msg.data))


class WorkerKit(Kit):
    """The share of a process whose users speak, and whose master judges."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self._runner = runner
        super().__init__(environment)

    def listen(self) -> None:
        """Listens to the master."""
        self.environment.events.test_start.add_listener(self.on_start)
        self.environment.events.user_error.add_listener(self.on_user_error)
        self.environment.events.quitting.add_listener(self.on_quitting)
        self._runner.register_message(REFERENCE, self._on_reference)
        self._runner.register_message(FINISH, self._on_finish, concurrent=True)

    def prepare(self, options: Options) -> None:
        """Makes the plan; the reference comes, or has come, from the master."""
        self.plan = Plan.of(options)

    def give_up(self, reason: str) -> None:
        """Leaves the users without a plan; their master hears why when the test is over."""
        self.tally.broken[f"worker without a plan: {reason}"] += 1

    def on_quitting(self, **_: Any) -> None:
        """Leaves the verdict to the master."""
        self.environment.process_exit_code = 0

    def _on_reference(self, msg: Message, **_: Any) -> None:
        finals = tuple(Final(**fields) for fields in msg.data["finals"])
        self.reference = Reference(finals, msg.data["text"])

    def _on_finish(self, **_: Any) -> None:
        with gevent.Timeout(self.environment.stop_timeout, False):
            while self.users:
                for user in list(self.users):
                    user.leave()
                gevent.sleep(_POLL_SECONDS)
        # By then the master has the latencies, which Locust sends at this interval.
        gevent.sleep(WORKER_REPORT_INTERVAL)
        self._runner.send_message(FINISHED, self.tally.plain())
