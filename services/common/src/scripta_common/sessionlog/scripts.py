"""The session log's Lua scripts; what each takes and answers stands at its top."""

from __future__ import annotations

from functools import partial
from typing import Final

from scripta_common.broker import Script

_load: Final = partial(Script.load, __package__)


OPEN = _load("open")
ASSIGN = _load("assign")
ATTACH = _load("attach")
RESTORE = _load("restore")
APPEND = _load("append")
POLL = _load("poll")
LINE = _load("line")
WITHDRAW = _load("withdraw")
CLAIM = _load("claim")
COMMIT = _load("commit")
INTERIM = _load("interim")
RELEASE = _load("release")
ACCUSE = _load("accuse")
ACQUIT = _load("acquit")
HEARTBEAT = _load("heartbeat")
RECLAIM = _load("reclaim")
TIDY = _load("tidy")
HANDOFF = _load("handoff")
DROP = _load("drop")
ENLIST = _load("enlist")
ROSTER = _load("roster")
DEMAND = _load("demand")
