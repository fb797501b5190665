"""Answers to a client's messages: pure, no I/O.

Always true: answers go out in the order of the messages, each once the log has the last entry of
its message. What is refused has no entry; its answer waits for those before it.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from scripta_gateway.bounds import MAX_UNANSWERED

T = TypeVar("T")


class Answers(Generic[T]):
    """The answers of one connection that are not sent yet.

    Attributes:
        given: Answers so far.
        sent: How many of them have been taken to be sent.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, T]] = deque()
        self.given = 0
        self.sent = 0

    @property
    def full(self) -> bool:
        """Whether the client has to wait before it is read from again."""
        return len(self._waiting) >= MAX_UNANSWERED

    def give(self, seq: int, answer: T) -> None:
        """Adds an answer.

        Args:
            seq: Number of the entry that it waits for.
            answer: What is sent.
        """
        self._waiting.append((seq, answer))
        self.given += 1

    def next_due(self, logged: int) -> T | None:
        """Takes the next answer if the log, which has the entries up to a number, allows it."""
        if not self._waiting or self._waiting[0][0] > logged:
            return None
        self.sent += 1
        return self._waiting.popleft()[1]
