"""Logs: one line an event on standard output, JSON or human, ids from the context.

A log call is a fixed lower-case phrase with its values in ``extra``. Never audio, text or
secrets.
"""

from __future__ import annotations

import json
import logging
import logging.config
import time
from contextvars import ContextVar
from typing import Any, Final, Literal

session_id: ContextVar[str | None] = ContextVar("session_id", default=None)
"""Session that the current task works for; on every line it logs."""

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    extras = {k: v for k, v in record.__dict__.items() if k not in _STANDARD}
    sid = session_id.get()
    if sid is not None:
        extras.setdefault("session", sid)
    return extras


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then the extras."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line for a record."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            **_extras(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class HumanFormatter(logging.Formatter):
    """Clock, level and phrase, then ``key=value`` pairs."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line for a record."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        pairs = "".join(f" {key}={value}" for key, value in _extras(record).items())
        line = f"{clock} {record.levelname.lower():<7} {record.getMessage()}{pairs}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def configure_logging(service: str, level: str, style: Literal["json", "human"]) -> None:
    """Sets up the root logger; uvicorn's loggers go through it, its access log is off."""
    formatter: dict[str, Any] = (
        {"()": JsonFormatter, "service": service} if style == "json" else {"()": HumanFormatter}
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": formatter},
            "handlers": {
                "stdout": {
                    "class": "logging.StreamHandler",
                    "stream": "ext://sys.stdout",
                    "formatter": "line",
                }
            },
            "root": {"level": level, "handlers": ["stdout"]},
            "loggers": {
                "uvicorn": {"level": "WARNING", "propagate": True},
                "uvicorn.access": {"level": "WARNING", "propagate": True},
            },
        }
    )
