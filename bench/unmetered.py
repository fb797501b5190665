"""A transcriber that counts no usage, for ``metering.py``; but for that it is as it is shipped."""

from __future__ import annotations

from typing import Any

from scripta_transcriber.__main__ import main
from scripta_transcriber.metering import Metering


def _nothing(*_: Any, **__: Any) -> None:
    pass


async def _settled(*_: Any, **__: Any) -> None:
    pass


if __name__ == "__main__":
    for name in ("progress", "lose", "leave"):
        setattr(Metering, name, _nothing)
    for name in ("settle", "run_once", "close"):
        setattr(Metering, name, _settled)
    main()
