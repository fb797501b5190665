"""The lines that the client in the pod prints: what each session has heard since the last one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from chaos.sessions import Heard

_LISTS = ("finals", "arrivals", "troubles", "closes")


@dataclass(slots=True)
class Account:
    """What is known of a session.

    Attributes:
        heard: What it has heard.
        rounds: Rounds of its voice that it has begun.
        over: Whether it is over.
    """

    heard: Heard
    rounds: int = 0
    over: bool = False

    def take(self, news: dict[str, Any]) -> None:
        """Adds what a line tells."""
        for name in _LISTS:
            getattr(self.heard, name).extend(news.get(name, ()))
        for size, count in news.get("acks", ()):
            self.heard.acks.extend([size] * count)
        self.heard.sid = news["sid"]
        self.heard.late = news["late"]
        self.heard.duration = news["duration"]
        self.rounds = news["rounds"]
        self.over = news["over"]


class Reporter:
    """Turns what one session has heard into lines, each with what is new.

    Args:
        session: Its number.
        account: What is known of it; grows meanwhile.
    """

    def __init__(self, session: int, account: Account) -> None:
        self._session = session
        self._account = account
        self._told = dict.fromkeys((*_LISTS, "acks"), 0)
        self._last = ""

    def line(self) -> str:
        """Returns a line, or nothing if there are no news."""
        heard = self._account.heard
        state: dict[str, Any] = {
            "session": self._session,
            "sid": heard.sid,
            "late": round(heard.late, 3),
            "duration": heard.duration,
            "rounds": self._account.rounds,
            "over": self._account.over,
        }
        mark = json.dumps(state)
        news: dict[str, Any] = {}
        for name in _LISTS:
            if fresh := self._fresh(name, getattr(heard, name)):
                news[name] = fresh
        if acks := self._fresh("acks", heard.acks):
            news["acks"] = [[size, len(list(group))] for size, group in groupby(acks)]
        if not news and mark == self._last:
            return ""
        self._last = mark
        return json.dumps({**state, **news})

    def _fresh(self, name: str, whole: list[Any]) -> list[Any]:
        # A copy: it grows while it is written.
        fresh = whole[self._told[name] :]
        self._told[name] += len(fresh)
        return fresh


def read(lines: list[str], sessions: int) -> list[Account]:
    """Returns what lines of the client tell of each session; other lines are passed over."""
    accounts = [Account(Heard()) for _ in range(sessions)]
    for line in lines:
        if line.startswith("{"):
            news = json.loads(line)
            accounts[news["session"]].take(news)
    return accounts
