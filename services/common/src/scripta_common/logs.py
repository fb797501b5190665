"""Logs: one line an event on standard output, JSON or human, ids from the context.

A log call is a fixed lower-case phrase with its values in ``extra``. Never audio, text or
secrets.
"""

from __future__ import annotations

import json
import logging
import logging.config
import time
from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import Any, Final, Literal

_ids: ContextVar[Mapping[str, object]] = ContextVar("ids", default=MappingProxyType({}))

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    extras = {k: v for k, v in record.__dict__.items() if k not in _STANDARD}
    return extras | {name: value for name, value in _ids.get().items() if name not in extras}


def bind(**ids: object) -> Token[Mapping[str, object]]:
    """Puts ids on every line that the current task logs from here on, and those it starts.

    Args:
        ids: What it works for, such as ``session``; ``None`` is left out.

    Returns:
        What ``unbind`` takes.
    """
    known = {name: value for name, value in ids.items() if value is not None}
    return _ids.set({**_ids.get(), **known})


def unbind(token: Token[Mapping[str, object]]) -> None:
    """Takes back what ``bind`` did."""
    _ids.reset(token)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, service, its id, logger, message, then the extras.

    Args:
        service: ``gateway`` or ``transcriber``.
        instance: Id of this process.
    """

    def __init__(self, service: str, instance: str) -> None:
        super().__init__()
        self._service = service
        self._instance = instance

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line for a record."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "service": self._service,
            self._service: self._instance,
            "logger": record.name,
            "message": record.getMessage(),
            **_extras(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class HumanFormatter(logging.Formatter):
    """Clock, level and phrase, then ``key=value`` pairs; not which process it is."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line for a record."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        pairs = "".join(f" {key}={value}" for key, value in _extras(record).items())
        line = f"{clock} {record.levelname.lower():<7} {record.getMessage()}{pairs}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def configure_logging(
    service: str, instance: str, level: str, style: Literal["json", "human"]
) -> None:
    """Sets up the root logger; uvicorn's loggers go through it, its access log is off.

    Args:
        service: ``gateway`` or ``transcriber``.
        instance: Id of this process.
        level: Least level that is logged.
        style: Form of the lines.
    """
    formatter: dict[str, Any] = (
        {"()": JsonFormatter, "service": service, "instance": instance}
        if style == "json"
        else {"()": HumanFormatter}
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
