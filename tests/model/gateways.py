"""Gateways, driven one call at a time: the real log and decisions without the tasks round them."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from scripta_common.broker import Broker
from scripta_common.errors import SessionLost, Superseded
from scripta_common.sessionlog import (
    AheadOfLog,
    Attachment,
    GatewayLog,
    NotResumable,
    SessionOptions,
)
from scripta_common.wire import EntryKind, Interim, Reason, Ring
from scripta_common.wire import Superseded as Notice
from scripta_gateway.sessions.exchange import (
    Append,
    AwaitRoom,
    Exchange,
    Join,
    News,
    Restore,
    Write,
)
from scripta_gateway.sessions.ledger import Ledger
from scripta_gateway.sessions.takeover import Takeover

from .client import Client

TTL = 3600.0
KEPT = 2
"""Results that a client may have been sent in vain when its connection breaks."""
MAX_BACKLOG = 60_000
"""Samples: few enough to be reached."""


class Answer(StrEnum):
    """What becomes of a call's answer."""

    ARRIVES = "arrives"
    LOST = "lost"
    """The call is made again."""
    LATE = "late"
    """Others act before it is looked at."""


class Connection:
    """One connection of a session at a gateway; it may outlive its client."""

    def __init__(self, log: GatewayLog, gateway: str, client: Client, exchange: Exchange) -> None:
        self.gateway = gateway
        self.client = client
        self.exchange = exchange
        self.closed = False
        # Whether the client is still at the other end.
        self.attended = True
        # Results that only the log had when the client came by this connection.
        self.index_before = 0
        self._had = client.index
        self._log = log
        self._write: Write | None = None
        # Answers that have come and are not looked at.
        self._written: Callable[[], bool] | None = None
        self._polled: Callable[[], News] | None = None
        self._read: Callable[[], News] | None = None
        # Messages and the end that the ledger has.
        self._entered = exchange.ledger.intake.messages
        self.ending = False

    @classmethod
    def opened(cls, broker: Broker, gateway: str, client: Client) -> Connection:
        """Returns the first connection of a session: the log does not know of it yet."""
        log = GatewayLog(broker, gateway, ttl=TTL)
        return cls(log, gateway, client, Exchange(Ledger(MAX_BACKLOG)))

    def speak(self) -> None:
        """Enters what the client has sent and the ledger has not."""
        if not self.attended or self.ending:
            return
        for pcm in self.client.messages[self._entered :]:
            self.exchange.ledger.enter_audio(pcm, max(1, len(pcm)), 0)
            self._entered += 1
        if self.client.wants_end:
            self.end()

    def finalize(self, reason: Reason) -> None:
        if not self.ending:
            self.exchange.ledger.enter_control(EntryKind.FINALIZE, reason, 0)

    def pause(self) -> None:
        if not self.ending:
            self.exchange.ledger.enter_pause(0)

    def end(self) -> None:
        if self.ending:
            return
        self.ending = True
        if self.exchange.ledger.last_seq or self.exchange.joined:
            self.exchange.ledger.enter_control(EntryKind.END, Reason.END, 0)
        else:
            self.client.ended_unheard = True
            self._take(self.exchange.end_unheard())

    async def leave(self) -> None:
        """Loses its client; nothing is left of a session that has never gone in line."""
        self.attended = False
        if not self.exchange.joined:
            self.closed = True
            await self._log.withdraw(self.client.sid, certainly=True)

    async def write(self, answer: Answer = Answer.ARRIVES) -> bool:
        """Does the next step of a flush; returns whether there may be more to do."""
        if self.closed:
            return False
        try:
            if self._written is not None:
                written, self._written = self._written, None
                self._write = None
                return written()
            if self._write is None:
                self._write = self.exchange.next_write()
                if self._write is None:
                    self._acknowledge()
                    return False
            if isinstance(self._write, AwaitRoom):
                self._write = None
                return False
            self._written = await self._call(self._write)
            if answer is Answer.LOST:
                self._written = None
            elif answer is Answer.ARRIVES:
                return await self.write()
        except (Superseded, SessionLost) as error:
            self.close(error.code)
            return False
        return True

    async def hesitate(self) -> None:
        """Decides what to write, and does not do it yet."""
        if not self.closed and self._write is None:
            try:
                self._write = self.exchange.next_write()
            except SessionLost as error:
                self.close(error.code)

    async def _call(self, write: Write) -> Callable[[], bool]:
        sid = self.client.sid
        if isinstance(write, Append):
            entries = write.entries
            outcome, last = await self._log.append(sid, entries, self.exchange.connection)
            if outcome == "ok":
                for entry in entries:
                    self.client.written(entry)
            return lambda: self.exchange.appended(write, outcome, last)
        if isinstance(write, Join):
            digest = _digest(self.client)
            assert await self._log.open(sid, SessionOptions(), token_digest=digest)

            def joined() -> bool:
                self.exchange.joined = True
                return True

            return joined
        assert isinstance(write, Restore)
        ours = await self._log.restore(
            sid, SessionOptions(), write.standing, token_digest=_digest(self.client)
        )

        def restored() -> bool:
            self.exchange.restored(write, ours)
            return True

        return restored

    def _acknowledge(self) -> None:
        if self.attended and not self.exchange.over:
            self.client.accepted = self._entered
            self.client.promised = max(self.client.promised, self.exchange.ledger.last_seq)

    async def poll(self, answer: Answer = Answer.ARRIVES) -> None:
        if self.closed or not self.exchange.joined:
            return
        if self._polled is None:
            confirmed = self.exchange.logged
            drop = max(self._had, self.client.index - KEPT) if self.attended else 0
            progress = await self._log.poll(self.client.sid, self.exchange.connection, drop=drop)
            self._polled = lambda: self.exchange.polled(progress, confirmed)
            if progress is not None and not progress.over and self.exchange.ledger.outstanding:
                await self._stay_in_line(progress.owner)
        if answer is Answer.ARRIVES:
            try:
                self._take(self._polled())
            except Superseded as error:
                self.close(error.code)
            self._polled = None

    async def _stay_in_line(self, owner: str) -> None:
        if self.exchange.looked_in_line(await self._log.is_served(owner)):
            await self._log.assign(self.client.sid)

    async def read(self, answer: Answer = Answer.ARRIVES) -> bool:
        """Reads up; returns whether there may be more."""
        if self.closed:
            return False
        if self._read is None:
            if not self.exchange.behind:
                return False
            results = await self._log.read_results(self.client.sid, self.exchange.next_read())
            self._read = lambda: self.exchange.read(None if answer is Answer.LOST else results)
        if answer is not Answer.LATE:
            news, self._read = self._read(), None
            self._take(news)
        return True

    def hear(self, said: Ring | Notice) -> None:
        """Takes what the doorbell said of this session."""
        if self.closed:
            return
        if isinstance(said, Notice):
            if self.exchange.connection < said.connection:
                self.close(Superseded.code)
        elif not any(isinstance(result, Interim) for result in said.results):
            self._take(self.exchange.ring(said))

    def _take(self, news: News) -> None:
        if self.attended:
            self.client.tell(list(news.fresh))

    def close(self, code: str) -> None:
        self.closed = True
        if self.attended and not self.client.over:
            self.client.give_up(code)


class Arrival:
    """A client's way back to its session, by a new connection."""

    def __init__(self, broker: Broker, gateway: str, client: Client) -> None:
        self.gateway = gateway
        self.client = client
        self._broker = broker
        self._log = GatewayLog(broker, gateway, ttl=TTL)
        self._takeover: Takeover | None = None

    async def step(self) -> Connection | None:
        """Makes one call; returns the connection once it stands."""
        try:
            if self._takeover is None:
                self._takeover = Takeover(await self._attach())
            elif (after := self._takeover.next_read()) is not None:
                entries = await self._log.read_entries(self.client.sid, after)
                if not self._takeover.read(entries):
                    self._takeover.polled(await self._log.poll(self.client.sid))
            else:
                return self._connect(self._takeover)
        except NotResumable as error:
            if self.client.begin_anew():
                return Connection.opened(self._broker, self.gateway, self.client)
            self.client.give_up(error.reason)
        except AheadOfLog as error:
            # The log has lost its last results. They come again, and must be the same.
            del self.client.told[error.index :]
        return None

    async def _attach(self) -> Attachment:
        client = self.client
        return await self._log.attach(client.sid, _digest(client), client.index)

    def _connect(self, takeover: Takeover) -> Connection | None:
        client, attachment = self.client, takeover.attachment
        if not client.accepted <= attachment.intake.messages <= len(client.messages):
            client.give_up("accepted messages are not there")
            return None
        ledger = Ledger.resumed(MAX_BACKLOG, attachment, takeover.entries, client.index)
        exchange = Exchange(
            ledger, connection=attachment.connection, logged=attachment.seq, joined=True
        )
        exchange.behind = True
        connection = Connection(self._log, self.gateway, client, exchange)
        connection.index_before = attachment.index
        over = attachment.status != "open"
        connection.ending = over or any(e.kind is EntryKind.END for e in takeover.entries)
        return connection


def _digest(client: Client) -> str:
    return f"digest of {client.sid}"
