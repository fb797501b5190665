"""Log lines: JSON for machines, text for people, the session on each."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from scripta_common.logs import (
    HumanFormatter,
    JsonFormatter,
    bind,
    configure_logging,
    unbind,
)

pytestmark = pytest.mark.unit


def record(message: str = "lease lost", level: int = logging.WARNING, **extra: Any) -> Any:
    made = logging.getLogger("scripta.test").makeRecord(
        "scripta.test", level, "file.py", 1, message, (), None, extra=extra
    )
    made.created = 1_700_000_000.0421
    made.msecs = 42.1
    return made


def json_line(made: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter("gateway", "g-1").format(made)
    assert "\n" not in line
    decoded: dict[str, Any] = json.loads(line)
    return decoded


def test_json_line_has_all_and_nothing_else() -> None:
    assert json_line(record(epoch=3, size=2.5)) == {
        "time": "2023-11-14T22:13:20.042Z",
        "level": "warning",
        "service": "gateway",
        "gateway": "g-1",
        "logger": "scripta.test",
        "message": "lease lost",
        "epoch": 3,
        "size": 2.5,
    }


def test_line_break_in_a_value_does_not_break_the_line() -> None:
    assert json_line(record("two\nlines", error="a\nb"))["error"] == "a\nb"


def test_value_that_json_has_no_form_for_is_written_as_text() -> None:
    assert json_line(record(where={1, 2}))["where"] == "{1, 2}"


def test_ids_of_the_context_are_on_the_line() -> None:
    outer = bind(session="from-context", trace_id=None)
    inner = bind(epoch=3)
    try:
        line = json_line(record())
        assert (line["session"], line["epoch"]) == ("from-context", 3)
        assert "trace_id" not in line
        assert json_line(record(session="given"))["session"] == "given"
        assert "session=from-context epoch=3" in HumanFormatter().format(record())
    finally:
        unbind(inner)
        assert "epoch" not in json_line(record())
        unbind(outer)
    assert "session" not in json_line(record())


async def test_ids_of_one_task_are_not_on_the_lines_of_its_siblings() -> None:
    seen: dict[str, object] = {}

    async def work(sid: str) -> None:
        bind(session=sid)
        await asyncio.sleep(0)
        seen[sid] = json_line(record())["session"]

    async with asyncio.TaskGroup() as tasks:
        for sid in ("a", "b"):
            tasks.create_task(work(sid))
    assert seen == {"a": "a", "b": "b"}
    assert "session" not in json_line(record())


def test_exception_is_on_the_line_with_its_trace() -> None:
    made = record(level=logging.ERROR)
    try:
        raise ValueError("broken")  # noqa: TRY301 - a trace is wanted
    except ValueError:
        made.exc_info = sys.exc_info()
    assert json_line(made)["exception"].endswith("ValueError: broken")
    assert HumanFormatter().format(made).endswith("ValueError: broken")


def test_human_line_is_clock_level_phrase_and_pairs() -> None:
    line = HumanFormatter().format(record(epoch=3, session="s"))
    clock, level, rest = line.split(maxsplit=2)
    assert len(clock) == 8
    assert level == "warning"
    assert rest == "lease lost epoch=3 session=s"


@pytest.mark.parametrize("style", ["json", "human"])
def test_configured_process_writes_lines_to_standard_output(style: str) -> None:
    code = f"""
import logging
from scripta_common.logs import configure_logging
configure_logging("transcriber", "t-1", "INFO", {style!r})
logging.getLogger("scripta.x").debug("not this")
logging.getLogger("scripta.x").info("engine loaded", extra={{"slots": 8}})
logging.getLogger("uvicorn.error").info("nor this")
logging.getLogger("uvicorn.access").info("nor that")
logging.getLogger("uvicorn.error").warning("but this")
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stderr == ""
    first, second = ran.stdout.splitlines()
    if style == "json":
        assert json.loads(first)["message"] == "engine loaded"
        assert json.loads(first)["service"] == "transcriber"
        assert json.loads(first)["transcriber"] == "t-1"
        assert json.loads(second)["message"] == "but this"
    else:
        assert first.endswith("info    engine loaded slots=8")
        assert second.endswith("warning but this")


def test_unknown_style_is_refused_by_its_type() -> None:
    with pytest.raises(ValueError, match="Unable to configure"):
        configure_logging("gateway", "g-1", "NOSUCHLEVEL", "json")
