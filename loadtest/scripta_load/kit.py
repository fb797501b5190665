"""A test in one process: what its users share, how it starts and what is said at its end."""

from __future__ import annotations

import logging
from typing import Any, Protocol

import gevent
from locust.env import Environment

from scripta_load.errors import LoadError
from scripta_load.hearing import Measure
from scripta_load.options import Options
from scripta_load.plan import Plan
from scripta_load.reference import Reference
from scripta_load.tally import Tally
from scripta_load.verdict import Latency, problems, table

logger = logging.getLogger("scripta_load")

REQUEST_TYPE = "ws"
FAILED = 1
NOT_RUN = 2


class Talker(Protocol):
    """A user that holds sessions until it is asked to leave."""

    def leave(self) -> None:
        """Ends the session early, and begins no other."""


class Kit:
    """What the users of a process share.

    Attributes:
        plan: What to say, while a test runs.
        reference: What to expect; ``None`` until it is known.
        users: Those that are there.
        tally: The sums over their sessions.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.plan: Plan | None = None
        self.reference: Reference | None = None
        self.users: set[Talker] = set()
        self.tally = Tally()
        self.listen()

    def listen(self) -> None:
        """Takes part in the life of the process."""
        self.environment.events.test_start.add_listener(self.on_start)
        self.environment.events.user_error.add_listener(self.on_user_error)
        self.environment.events.test_stop.add_listener(self.on_stop)
        self.environment.events.quitting.add_listener(self.on_quitting)

    def on_start(self, **_: Any) -> None:
        """Gets ready; a test that can not begin is given up."""
        self.tally, self.plan = Tally(), None
        parsed = self.environment.parsed_options
        assert parsed is not None
        try:
            self.prepare(Options.of(parsed, self.environment.host))
        except LoadError as error:
            self.give_up(str(error))

    def prepare(self, options: Options) -> None:
        """Makes the plan and learns what is to be expected; raises ``LoadError``."""
        plan = Plan.of(options)
        logger.info("Taking the reference: %.0f s of %s", plan.speech.seconds, plan.speech.name)
        self.reference = plan.reference(gevent.sleep)
        if self.reference.by_message:
            logger.info("The engine answers messages: finals are counted, not words.")
        elif not self.reference.text.strip():
            logger.warning("No words were heard in %s: none can be lost.", plan.speech.name)
        self.plan = plan

    def give_up(self, reason: str) -> None:
        """Ends a test that can not begin."""
        print(f"\nFAILED: {reason}\n", flush=True)
        self.environment.process_exit_code = NOT_RUN
        runner, options = self.environment.runner, self.environment.parsed_options
        if runner is not None:
            headless = options is not None and options.headless
            # Not here: this is called from within the start that is to be undone.
            gevent.spawn(runner.quit if headless else runner.stop)

    def on_user_error(self, **_: Any) -> None:
        """Counts a session whose user has raised; Locust has logged why."""
        self.tally.errors += 1

    def on_stop(self, **_: Any) -> None:
        """Says how it went."""
        if self.plan is None:
            return
        print(f"\n{table(self.plan.options, self.tally, self._latencies())}\n")
        found = problems(self.tally, self.plan.options)
        print("FAILED: " + "; ".join(found) if found else "Passed.", flush=True)
        self.environment.process_exit_code = FAILED if found else 0

    def on_quitting(self, **_: Any) -> None:
        """Lets users finish who still speak, as they do after an interrupt."""
        if self.plan is not None and self.environment.runner is not None:
            self.environment.runner.stop()

    def _latencies(self) -> list[Latency]:
        rows = []
        for measure in Measure:
            entry = self.environment.stats.get(measure.value, REQUEST_TYPE)
            median, p95, p99 = (entry.get_response_time_percentile(p) for p in (0.5, 0.95, 0.99))
            count = entry.num_requests - entry.num_none_requests
            rows.append(Latency(measure.value, count, median, p95, p99, entry.max_response_time))
        return rows
