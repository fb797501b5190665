"""The Locust user: speaks one session after the other, as long as it is wanted."""

from __future__ import annotations

import random
import time
from typing import ClassVar

from gevent.event import Event
from locust import User, constant, task
from locust.env import Environment
from locust.exception import StopUser

from scripta_load.connection import ConnectFailed, Connection, Refused
from scripta_load.hearing import Measure, Measurement
from scripta_load.kit import REQUEST_TYPE, Kit
from scripta_load.plan import Plan, count

_RETRY_SECONDS = (1.0, 3.0)
_POLL_SECONDS = 0.1


class Speaker(User):
    """Somebody who talks into a microphone: at the pace of speech, and listens meanwhile.

    Attributes:
        kit: The process's share of the test.
    """

    wait_time = constant(0)
    kit: ClassVar[Kit]

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._leaving = Event()
        self._rested = False

    def on_start(self) -> None:
        """Joins the test."""
        self.kit.users.add(self)

    def on_stop(self) -> None:
        """Leaves it."""
        self.kit.users.discard(self)

    def stop(self, force: bool = False) -> bool:
        """Ends the session with its last words; with ``force``, at once."""
        self.leave()
        return bool(super().stop(force))

    def leave(self) -> None:
        """Ends the session early, and begins no other."""
        self._leaving.set()

    @task
    def speak(self) -> None:
        """Holds one session, from the handshake to the close."""
        plan = self._ready_plan()
        started = time.perf_counter()
        try:
            connection = plan.connect()
        except Refused as refusal:
            self.kit.tally.refused += 1
            self._failed(Measure.CONNECT, refusal)
            # A little later than told, so that not all come back at once.
            self._pause(refusal.retry_after * random.uniform(1.0, 1.25))
        except ConnectFailed as error:
            self.kit.tally.failed_to_connect()
            self._failed(Measure.CONNECT, error)
            self._pause(random.uniform(*_RETRY_SECONDS))
        else:
            self._measured(Measurement(Measure.CONNECT, time.perf_counter() - started))
            self._hold(plan, connection)

    def _hold(self, plan: Plan, connection: Connection) -> None:
        with connection:
            report = plan.speak(connection, self._leaving.is_set, self._measured)
        assert self.kit.reference is not None
        self.kit.tally.session(report, count(self.kit.reference, report))
        if report.broken:
            self._failed(Measure.CLOSE, ConnectionError(report.reason))
            self._pause(random.uniform(*_RETRY_SECONDS))

    def _ready_plan(self) -> Plan:
        while not self._leaving.is_set():
            plan = self.kit.plan
            if plan is not None and self.kit.reference is not None:
                if not self._rested:
                    self._rested = True
                    self._pause(random.uniform(0.0, plan.options.stagger))
                    continue
                return plan
            self._pause(_POLL_SECONDS)
        raise StopUser

    def _pause(self, seconds: float) -> None:
        self._leaving.wait(seconds)

    def _measured(self, measurement: Measurement) -> None:
        self.environment.events.request.fire(
            request_type=REQUEST_TYPE,
            name=measurement.measure.value,
            response_time=1000 * measurement.seconds,
            response_length=0,
            exception=None,
            context={},
        )

    def _failed(self, measure: Measure, error: Exception) -> None:
        self.environment.events.request.fire(
            request_type=REQUEST_TYPE,
            name=measure.value,
            response_time=None,
            response_length=0,
            exception=error,
            context={},
        )
