"""The broker as the model sees it: what it holds, and how it loses things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.sessionlog import Progress
from scripta_common.sessionlog.checkpoints import marked_checkpoint
from scripta_common.wire import Ring, Superseded, decode_doorbell

_DOORBELLS: Final = keys.gateway_channel("*")
_LONG_AGO_MS: Final = 10**8


_LOOK: Final = """
local everlasting = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  if redis.call('PTTL', key) < 0 then everlasting[#everlasting + 1] = key end
end
local function ids(key)
  local found = {}
  for i, row in ipairs(redis.call('XRANGE', key, '-', '+')) do found[i] = row[1] end
  return found
end
local answer = {everlasting, redis.call('XLEN', KEYS[1])}
for i = 2, #KEYS do
  local audio = string.gsub(KEYS[i], 'state$', 'audio')
  local results = string.gsub(KEYS[i], 'state$', 'results')
  answer[#answer + 1] = {
    redis.call('HMGET', KEYS[i], 'status', 'seq', 'cp_sample', 'cp_seq', 'index', 'epoch',
      'cp_speaking'),
    ids(audio), ids(results),
    redis.call('DUMP', KEYS[i]), redis.call('DUMP', audio), redis.call('DUMP', results)}
end
return answer
"""


class Part(StrEnum):
    """What of the broker's keys a fault hits: in a Cluster each may be on a server of its own."""

    ALL = "all"
    SESSIONS = "sessions"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class Lease:
    """A pending entry of the assignment stream."""

    entry_id: bytes
    owner: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the broker holds of a session.

    Attributes:
        progress: As its state says; ``None`` if there is none.
        logged: Numbers of the entries in its audio stream.
        recorded: Numbers of the results in its results stream.
        content: All of it, in comparable form.
    """

    progress: Progress | None
    logged: list[int]
    recorded: list[int]
    content: list[bytes | None]


@dataclass(frozen=True, slots=True)
class Sight:
    """What the broker holds.

    Attributes:
        everlasting: Keys that would stay for ever.
        line: Entries of the assignment stream.
        sessions: By id.
    """

    everlasting: list[bytes]
    line: int
    sessions: dict[str, Standing]


class Store:
    """A real server, looked at and tampered with from outside."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pubsub = redis.pubsub()

    async def start(self) -> None:
        """Empties the server and listens to all doorbells."""
        await self._redis.flushall()
        await self._pubsub.psubscribe(_DOORBELLS)
        await self._pubsub.get_message(timeout=5)

    async def aclose(self) -> None:
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    async def rung(self) -> list[tuple[str, Ring | Superseded]]:
        """Returns what has rung since the last call, with the gateway it rang at."""
        await self._pubsub.ping()
        rings = []
        while (message := await self._pubsub.get_message(timeout=5))["type"] != "pong":
            gateway = message["channel"].decode().removeprefix(keys.gateway_channel(""))
            rings.append((gateway, decode_doorbell(message["data"])))
        return rings

    async def look(self, sids: Sequence[str]) -> Sight:
        """Returns everything that the model asserts on, in one answer."""
        everlasting, line, *sessions = await self._redis.eval(
            _LOOK, 1 + len(sids), keys.ASSIGN, *(keys.state(sid) for sid in sids)
        )
        return Sight(everlasting, line, dict(zip(sids, map(_standing, sessions), strict=True)))

    async def is_anyone_waiting(self) -> bool:
        """Returns whether a transcriber that asks has its answer at once.

        Otherwise the server would let it wait, for a tenth of a second at least.
        """
        if not await self._redis.exists(keys.ASSIGN):
            return True
        groups = await self._redis.xinfo_groups(keys.ASSIGN)
        if not groups:
            return True
        behind = "(" + groups[0]["last-delivered-id"].decode()
        return bool(await self._redis.xrange(keys.ASSIGN, behind, count=1))

    async def leases(self) -> list[Lease]:
        if not await self._redis.exists(keys.ASSIGN):
            return []
        if not await self._redis.xinfo_groups(keys.ASSIGN):
            return []
        rows: list[dict[str, Any]] = await self._redis.xpending_range(
            keys.ASSIGN, keys.GROUP, "-", "+", 1000
        )
        return [Lease(row["message_id"], row["consumer"].decode()) for row in rows]

    async def expire(self, lease: Lease) -> None:
        """Makes a lease look as if its owner had not renewed it for long."""
        entry: Any = [lease.entry_id]
        await self._redis.xclaim(
            keys.ASSIGN, keys.GROUP, lease.owner, 0, entry, idle=_LONG_AGO_MS, justid=True
        )

    async def copy(self) -> dict[bytes, bytes]:
        """Returns a copy of everything: a replica of this moment."""
        names: list[Any] = await self._redis.keys("*")
        return {name: await self._dump(name) for name in names}

    async def _dump(self, name: bytes) -> bytes:
        dump: bytes | None = await self._redis.dump(name)
        assert dump is not None
        return dump

    async def lose(self, part: Part, copy: dict[bytes, bytes]) -> None:
        """Puts a part back to a former state; an empty copy loses it altogether."""
        names: list[Any] = await self._redis.keys("*")
        for name in names:
            if _is_in(name, part):
                await self._redis.delete(name)
        for name, dump in copy.items():
            if _is_in(name, part):
                await self._redis.restore(name, 3_600_000, dump)


def _standing(answer: list[Any]) -> Standing:
    fields, logged, recorded, *content = answer
    progress = None
    if fields[0] is not None:
        seq, sample, checkpoint_seq, index, epoch = map(int, fields[1:-1])
        over = fields[0] != b"open"
        progress = Progress(
            over, seq, marked_checkpoint(sample, checkpoint_seq, fields[-1]), index, epoch
        )
    return Standing(progress, _numbers(logged), _numbers(recorded), content)


def _numbers(ids: list[bytes]) -> list[int]:
    return [int(each.partition(b"-")[0]) for each in ids]


def _is_in(key: bytes, part: Part) -> bool:
    return part is Part.ALL or (key == keys.ASSIGN.encode()) is (part is Part.LINE)
