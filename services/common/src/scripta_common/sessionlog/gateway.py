"""The gateway's half of the session log: open or take over, append, poll, read results."""

from __future__ import annotations

import time
from collections.abc import Sequence

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.lanes import Argument
from scripta_common.sessionlog import scripts
from scripta_common.sessionlog.checkpoints import marked_checkpoint, speaking_mark
from scripta_common.sessionlog.entries import read_entries
from scripta_common.sessionlog.options import SessionOptions
from scripta_common.sessionlog.standing import (
    AheadOfLog,
    AppendOutcome,
    Attachment,
    LineFull,
    NotResumable,
    Progress,
    Standing,
)
from scripta_common.wire import (
    Entry,
    Intake,
    Recorded,
    Superseded,
    decode_recorded,
    encode,
)

_RESULTS_PER_READ = 100
_ENTRIES_PER_READ = 256
_LINE_LOOKED_AT = 1000
"""Entries in line among which one is looked for: far more than may wait there."""


class GatewayLog:
    """Session log as one gateway sees it.

    Args:
        broker: Connection to the broker.
        gateway_id: This gateway; results ring on its channel.
        ttl: Seconds after which a session that nobody touches is forgotten.
    """

    def __init__(self, broker: Broker, gateway_id: str, *, ttl: float) -> None:
        self._broker = broker
        self._gateway_id = gateway_id
        self._ttl_ms = int(ttl * 1000)

    async def open(
        self, sid: str, options: SessionOptions, *, token_digest: str = "", most: int | None = None
    ) -> bool:
        """Creates a session and puts it in its pool's line; returns whether the id was free.

        Args:
            sid: The session.
            options: What it is opened with.
            token_digest: Digest of the token that takes it up again; empty: none does.
            most: Sessions that its pool may have, leased or waiting; ``None`` for any number.

        Raises:
            LineFull: The pool has as many already.
        """
        now_ms = int(time.time() * 1000)
        created = await self._broker.run(
            scripts.OPEN,
            [keys.state(sid)],
            self._gateway_id,
            options.encode(),
            now_ms,
            self._ttl_ms,
            token_digest,
        )
        if created and not await self._put_in_line(sid, options.pool, most):
            await self._broker.execute("DEL", keys.state(sid))
            raise LineFull(options.pool)
        return bool(created)

    async def attach(self, sid: str, token_digest: str, index: int) -> Attachment:
        """Takes a session over for a new connection.

        The former connection is fenced at once, and its gateway told.

        Args:
            sid: The session.
            token_digest: Digest of the token that its client has.
            index: Last result that its client has.

        Raises:
            NotResumable: It can not be taken up; nothing has changed.
            AheadOfLog: The log has not so many results; nothing has changed.
        """
        state = await self._broker.run(
            scripts.ATTACH,
            [keys.state(sid), keys.audio(sid), keys.results(sid)],
            self._gateway_id,
            self._ttl_ms,
            int(time.time() * 1000),
            token_digest,
            index,
        )
        if len(state) == 1:
            raise NotResumable(state[0].decode())
        if len(state) == 2:
            raise AheadOfLog(int(state[1]))
        former, connection, status, options, *numbers, mark = state
        seq, samples, messages, partial, sample, checkpoint_seq, index = map(int, numbers)
        attachment = Attachment(
            former_gateway=former.decode(),
            connection=int(connection),
            status=status.decode(),
            options=SessionOptions.decode(options),
            seq=seq,
            samples=samples,
            intake=Intake(messages, partial),
            checkpoint=marked_checkpoint(sample, checkpoint_seq, mark),
            index=index,
        )
        notice = encode(Superseded(sid, attachment.connection))
        channel = keys.gateway_channel(attachment.former_gateway)
        await self._broker.execute("PUBLISH", channel, notice)
        return attachment

    async def restore(
        self, sid: str, options: SessionOptions, standing: Standing, *, token_digest: str = ""
    ) -> bool:
        """Writes a lost session anew and puts it in line; safe to repeat.

        Args:
            sid: The session.
            options: What it was opened with.
            standing: Where its gateway stands with it.
            token_digest: As it was opened with.

        Returns:
            Whether it is still this connection's to restore.
        """
        checkpoint, intake = standing.checkpoint, standing.intake
        restored = await self._broker.run(
            scripts.RESTORE,
            [keys.state(sid), keys.audio(sid), keys.results(sid)],
            self._gateway_id,
            options.encode(),
            int(time.time() * 1000),
            self._ttl_ms,
            checkpoint.sample,
            checkpoint.seq,
            standing.index,
            standing.connection,
            standing.samples,
            intake.messages,
            int(intake.at_rest),
            token_digest,
            speaking_mark(checkpoint),
            standing.spoken,
        )
        if restored:
            await self.assign(sid, options.pool)
        return bool(restored)

    async def assign(self, sid: str, pool: str = keys.DEFAULT_POOL) -> None:
        """Puts a session in its pool's line, however long that is; twice does no harm."""
        await self._put_in_line(sid, pool, None)

    async def _put_in_line(self, sid: str, pool: str, most: int | None) -> bool:
        return bool(
            await self._broker.run(
                scripts.ASSIGN,
                [keys.assign(pool)],
                sid,
                keys.ASSIGN_TTL_MS,
                -1 if most is None else most,
            )
        )

    async def withdraw(
        self, sid: str, pool: str = keys.DEFAULT_POOL, *, certainly: bool = False
    ) -> bool:
        """Takes a session that nobody will ever read out of the line, and out of the log.

        Args:
            sid: The session.
            pool: Its pool.
            certainly: Whether it goes even if a transcriber has it, which then drops it.

        Returns:
            Whether it is gone; otherwise a transcriber has it, and it goes on to its end.
        """
        line, looked_at = keys.assign(pool), _LINE_LOOKED_AT
        removed = await self._broker.run(scripts.WITHDRAW, [line], keys.GROUP, sid, looked_at)
        gone = certainly or removed > 0
        if gone:
            names = keys.state(sid), keys.audio(sid), keys.results(sid)
            await self._broker.execute("DEL", *names)
        return gone

    async def is_served(self, owner: str, pool: str = keys.DEFAULT_POOL) -> bool:
        """Returns whether a session with this owner (empty: none) can count on its pool's line.

        False for long means that its entry in the line is lost: it has to be put there again.
        """
        return bool(await self._broker.run(scripts.LINE, [keys.assign(pool)], keys.GROUP, owner))

    async def append(
        self, sid: str, entries: Sequence[Entry], connection: int = 1
    ) -> tuple[AppendOutcome, int]:
        """Appends entries, all or none, and rings the session's owner; safe to repeat.

        Args:
            sid: The session.
            entries: The next entries, in order; at least one. Those at their start that the log
                has already stay as they are.
            connection: Number of the connection; an older one than the newest is refused.

        Returns:
            What became of them, and the last entry that the log has now.
        """
        intake = entries[-1].intake
        arguments: list[Argument] = [
            entries[0].seq,
            sid,
            keys.transcriber_channel(""),
            self._ttl_ms,
            connection,
            entries[-1].end_sample,
            intake.messages,
            intake.partial,
            int(intake.at_rest),
        ]
        for entry in entries:
            arguments += (
                entry.kind.value,
                entry.first_sample,
                entry.pcm,
                entry.accepted_ms,
                entry.message_bytes,
                entry.reason.value,
            )
        outcome, last = await self._broker.run(
            scripts.APPEND, [keys.state(sid), keys.audio(sid)], *arguments
        )
        return AppendOutcome(outcome.decode()), last

    async def poll(self, sid: str, connection: int = 1, *, drop: int = 0) -> Progress | None:
        """Keeps a session alive; returns how far it is, ``None`` if the broker has lost it.

        Args:
            sid: The session.
            connection: Number of the connection; an older one than the newest drops nothing.
            drop: Last result that nobody needs any more; it goes, with those before it.
        """
        state = await self._broker.run(
            scripts.POLL,
            [keys.state(sid), keys.audio(sid), keys.results(sid)],
            self._ttl_ms,
            connection,
            drop,
        )
        if not state:
            return None
        status, seq, sample, checkpoint_seq, index, epoch, owner, connection, mark = state
        return Progress(
            over=status != b"open",
            seq=int(seq),
            checkpoint=marked_checkpoint(int(sample), int(checkpoint_seq), mark),
            index=int(index),
            epoch=int(epoch),
            owner=owner.decode(),
            connection=int(connection),
        )

    async def read_results(self, sid: str, after: int) -> list[Recorded]:
        """Returns recorded results behind index ``after``, in order, a bounded number."""
        rows = await self._broker.execute(
            "XRANGE", keys.results(sid), f"({after}-0", "+", "COUNT", _RESULTS_PER_READ
        )
        return [decode_recorded(fields[1]) for _, fields in rows]

    async def read_entries(self, sid: str, after: int) -> list[Entry]:
        """Returns the entries behind number ``after``, in order, a bounded number."""
        return await read_entries(self._broker, sid, after, _ENTRIES_PER_READ)
