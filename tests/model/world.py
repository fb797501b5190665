"""The world of the model: clients, gateways, transcribers and a broker, one step at a time.

Everything that may happen is a method. Which happens when is for a schedule to say; every
schedule is allowed. ``check`` holds after every step, ``settle`` drives all that is left to its
end with healthy actors, and then what every client was told is exactly what it was owed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from scripta_common.broker import Broker
from scripta_common.sessionlog import Progress
from scripta_common.wire import Reason, Ring, Superseded

from .client import AGAIN, Client
from .gateways import Answer, Arrival, Connection
from .listening import Cutting, audio
from .store import Part, Sight, Standing, Store
from .transcribers import Transcriber

GATEWAYS = 2
TRANSCRIBERS = 3
_ROUNDS = 80


class World:
    """All actors of one example.

    Args:
        broker: Access to an empty server, as the services have it.
        redis: Access to the same from outside.
        cuttings: One a session.
        slots: Of each transcriber.
    """

    def __init__(self, broker: Broker, redis: Redis, cuttings: list[Cutting], slots: int) -> None:
        self.store = Store(redis)
        self.clients = [Client(f"s{place}", cutting) for place, cutting in enumerate(cuttings)]
        self.mail: list[tuple[str, Ring | Superseded]] = []
        self._broker = broker
        self._slots = slots
        self._born = 0
        self.gateways = [self._name("g") for _ in range(GATEWAYS)]
        self.transcribers = [self._transcriber() for _ in range(TRANSCRIBERS)]
        self.connections: list[Connection] = []
        self.arrivals: dict[str, Arrival] = {}
        self._copy: dict[bytes, bytes] = {}
        self._seen: dict[str, Progress] = {}
        # The highest epoch of each session.
        self._epochs: dict[str, int] = {}
        self._sight = Sight([], 0, {})

    async def start(self) -> None:
        await self.store.start()
        for transcriber in self.transcribers:
            await transcriber.log.join()
        for place, client in enumerate(self.clients):
            gateway = self.gateways[place % GATEWAYS]
            self.connections.append(Connection.opened(self._broker, gateway, client))

    # -- clients

    def speak(self, session: int, level: int, samples: int) -> None:
        client = self._client(session)
        if not client.wants_end:
            client.messages.append(audio(level, samples, len(client.messages)))
            self._enter(client)

    def finalize(self, session: int, reason: Reason) -> None:
        connection = self._attended(self._client(session))
        if connection is not None:
            connection.finalize(reason)

    def pause(self, session: int) -> None:
        connection = self._attended(self._client(session))
        if connection is not None:
            connection.pause()

    def end(self, session: int) -> None:
        client = self._client(session)
        client.wants_end = True
        self._enter(client)

    async def break_off(self, session: int, unheard: int) -> None:
        """The client's connection breaks; the last results are lost on their way."""
        client = self._client(session)
        connection = self._attended(client)
        if connection is not None:
            await self._leave(connection, unheard)

    async def arrive(self, session: int, gateway: int, *, anew: bool) -> None:
        """A step of a client on its way back; ``anew``: whatever connection it has, it leaves."""
        client = self._client(session)
        if client.over:
            return
        connection = self._attended(client)
        if connection is not None:
            if not anew:
                return
            await self._leave(connection, 0)
        if client.sid not in self.arrivals:
            name = self.gateways[gateway % GATEWAYS]
            self.arrivals[client.sid] = Arrival(self._broker, name, client)
        await self._step_arrival(client)

    # -- gateways

    async def write(self, session: int, place: int, answer: Answer) -> None:
        for connection in self._of(session, place):
            await connection.write(answer)

    async def hesitate(self, session: int) -> None:
        for connection in self._of(session, 0):
            await connection.hesitate()

    async def poll(self, session: int, place: int, answer: Answer) -> None:
        for connection in self._of(session, place):
            await connection.poll(answer)

    async def read(self, session: int, place: int, answer: Answer) -> None:
        for connection in self._of(session, place):
            await connection.read(answer)

    async def ring(self, place: int, *, again: bool) -> None:
        """Something that rang is heard, in any order, perhaps again."""
        if self.mail:
            place %= len(self.mail)
            gateway, said = self.mail[place]
            if not again:
                del self.mail[place]
            self._deliver(gateway, said)

    def lose_ring(self, place: int) -> None:
        if self.mail:
            del self.mail[place % len(self.mail)]

    async def linger_no_more(self, session: int) -> None:
        """A gateway ends the session of a client that did not come back."""
        client = self._client(session)
        if self._attended(client) is None and client.sid not in self.arrivals:
            for connection in self._of(session, 0):
                connection.end()
                client.excuse = client.excuse or "it stayed away for too long"

    async def kill_gateway(self, gateway: int, unheard: int) -> None:
        place = gateway % GATEWAYS
        name, self.gateways[place] = self.gateways[place], self._name("g")
        for connection in [each for each in self.connections if each.gateway == name]:
            if connection.attended:
                await self._part(connection, unheard)
            self.connections.remove(connection)
        for arrival in [each for each in self.arrivals.values() if each.gateway == name]:
            await self._excuse_if_damaged(arrival.client)
            del self.arrivals[arrival.client.sid]

    # -- transcribers

    async def take(self, transcriber: int, *, answered: bool) -> None:
        worker = self._awake(transcriber)
        if worker is not None:
            await self._take(worker)
            await worker.place(answered=answered)

    def is_busy(self, transcriber: int) -> bool:
        worker = self.transcribers[transcriber % TRANSCRIBERS]
        return bool(worker.works) and not worker.placing

    async def only_take(self, transcriber: int) -> None:
        worker = self._awake(transcriber)
        if worker is not None:
            await self._take(worker)

    async def work(self, transcriber: int, place: int, count: int, *, answered: bool) -> None:
        worker = self._awake(transcriber)
        if worker is not None:
            await self._guarded_work(worker, place, count, answered)

    async def beat(self, transcriber: int) -> None:
        worker = self._awake(transcriber)
        if worker is not None:
            await worker.beat()
            await worker.place()

    async def expire(self, place: int) -> None:
        leases = await self.store.leases()
        if leases:
            await self.store.expire(leases[place % len(leases)])

    def freeze(self, transcriber: int) -> None:
        worker = self.transcribers[transcriber % TRANSCRIBERS]
        worker.frozen = not worker.frozen

    def drain(self, transcriber: int) -> None:
        worker = self._awake(transcriber)
        if worker is not None:
            worker.drain()

    def kill_transcriber(self, transcriber: int) -> None:
        self.transcribers[transcriber % TRANSCRIBERS] = self._transcriber()

    # -- the broker

    async def copy(self) -> None:
        """A replica is up to date, now."""
        self._copy = await self.store.copy()

    async def fail_over(self, part: Part) -> None:
        """The replica takes over; what has changed since is lost."""
        await self._lose(part, self._copy)
        self._epochs.clear()  # a replica may give out again what it has not heard of

    async def lose(self, part: Part) -> None:
        await self._lose(part, {})

    # -- what always holds

    async def check(self) -> None:
        """Collects what rang, and asserts what holds after every step."""
        rung, self._sight = await asyncio.gather(self.store.rung(), self._look())
        self.mail += rung
        assert self._sight.everlasting == []
        for client in self.clients:
            told, owed = client.told, client.expected
            assert told == owed[: len(told)]
            self._check_log(client, self._sight.sessions[client.sid])

    def _check_log(self, client: Client, standing: Standing) -> None:
        progress, recorded = standing.progress, standing.recorded
        if progress is None:
            return
        assert standing.logged == list(range(progress.checkpoint.seq + 1, progress.seq + 1))
        assert recorded == list(range(progress.index + 1 - len(recorded), progress.index + 1))
        before, highest = self._seen.get(client.sid), self._epochs.get(client.sid, -1)
        # Whoever had a session that was lost is no owner of the one that is written anew.
        assert progress.epoch >= highest if before is not None else progress.epoch > highest
        self._epochs[client.sid] = progress.epoch
        if before is not None and progress != before:
            assert progress.epoch >= before.epoch
            moved = (progress.checkpoint.seq, progress.checkpoint.sample, progress.index)
            then = (before.checkpoint.seq, before.checkpoint.sample, before.index)
            # Only a restore goes back, and it raises the epoch.
            assert all(a >= b for a, b in zip(moved, then, strict=True)) or (
                progress.epoch > before.epoch
            )
        self._seen[client.sid] = progress

    async def aclose(self) -> None:
        await self.store.aclose()

    # -- the end

    async def settle(self) -> None:
        """Lets healthy actors finish everything, and asserts that every promise was kept."""
        for transcriber in self.transcribers:
            transcriber.frozen = False
        for client in self.clients:
            client.wants_end = True
        for _ in range(_ROUNDS):
            await self._round()
            await self.check()
            if all(client.over for client in self.clients) and self._at_rest():
                break
        else:
            raise AssertionError(f"still not over: {self._describe()}")
        for client in self.clients:
            if client.gave_up is None:
                assert client.told == client.expected
                messages = sum(bool(entry.message_bytes) for entry in client.history)
                assert messages == len(client.messages) or client.excuse

    def _at_rest(self) -> bool:
        if any(client.gave_up for client in self.clients):
            return True  # what is left of its session expires
        return not self._sight.line and not any(t.works for t in self.transcribers)

    async def _look(self) -> Sight:
        return await self.store.look([client.sid for client in self.clients])

    async def _round(self) -> None:
        for client in self.clients:
            if self._attended(client) is None:
                await self.arrive(self.clients.index(client), 0, anew=False)
            self._enter(client)
        for connection in self.connections:
            if connection.attended:
                while await connection.write():
                    pass
                await connection.poll()
                while await connection.write():
                    pass
                while await connection.read():
                    pass
        while self.mail:
            self._deliver(*self.mail.pop(0))
        held = {(t.name, entry_id) for t in self.transcribers for entry_id in t.leases.held}
        for lease in await self.store.leases():
            if (lease.owner, lease.entry_id) not in held:
                await self.store.expire(lease)
        for place, transcriber in enumerate(self.transcribers):
            if transcriber.leases.draining and not transcriber.works:
                with suppress(ResponseError):  # as the worker does: the group may be lost
                    await transcriber.log.leave()
                self.transcribers[place] = transcriber = self._transcriber()
            await transcriber.beat()
            await self._take(transcriber)
            while transcriber.placing:
                await transcriber.place()
            for turn in range(8 * len(transcriber.works)):
                await self._guarded_work(transcriber, turn, 64, True)

    # -- pieces

    async def _take(self, worker: Transcriber) -> None:
        if await self.store.is_anyone_waiting():
            await worker.take()

    async def _guarded_work(
        self, worker: Transcriber, place: int, count: int, answered: bool
    ) -> None:
        work = worker.work_at(place)
        if work is None:
            return
        sid = work.claim.sid
        # Its client may have gone on in another session.
        before = (await self.store.look([sid])).sessions[sid]
        await worker.work(place, count, answered=answered)
        after = (await self.store.look([sid])).sessions[sid]
        if before.progress is None or before.progress.epoch != work.claim.epoch:
            assert after.content == before.content, "a former owner changed something"

    async def _lose(self, part: Part, copy: dict[bytes, bytes]) -> None:
        for client in self.clients:
            self._excuse_if_unkept(client, part)
        await self.store.lose(part, copy)
        if part is not Part.LINE:
            self._seen.clear()

    def _excuse_if_unkept(self, client: Client, part: Part) -> None:
        connection = self._attended(client)
        if client.over or part is Part.LINE:
            return
        if connection is None:
            client.excuse = "the broker lost it while no gateway had it"
        elif client.index < connection.index_before:
            client.excuse = "the broker lost results that the client had not got"

    async def _excuse_if_damaged(self, client: Client) -> None:
        standing = (await self._look()).sessions[client.sid]
        progress = standing.progress
        if (
            progress is None
            or progress.seq < len(client.history)
            or progress.index < client.index
            or progress.index - len(standing.recorded) > client.index
        ):
            client.excuse = "its gateway went before it had healed the log"

    async def _leave(self, connection: Connection, unheard: int) -> None:
        await connection.leave()
        await self._part(connection, unheard)

    async def _part(self, connection: Connection, unheard: int) -> None:
        client = connection.client
        connection.attended = False
        if not client.over:
            del client.told[max(0, client.index - unheard) :]
            await self._excuse_if_damaged(client)

    async def _step_arrival(self, client: Client) -> None:
        sid = client.sid
        connection = await self.arrivals[sid].step()
        if client.over or connection is not None:
            del self.arrivals[sid]
        if connection is not None:
            self.connections.append(connection)
            connection.speak()

    def _describe(self) -> str:
        sessions = [
            f"{client.sid}: told {client.index} of {len(client.expected)}, gave up "
            f"{client.gave_up}, has {self._sight.sessions[client.sid].progress}"
            for client in self.clients
        ]
        works = [
            (t.name, w.claim.sid, w.phase) for t in self.transcribers for w in t.works.values()
        ]
        return f"{sessions}, at work {works}, {self._sight.line} in line"

    def _deliver(self, gateway: str, said: Ring | Superseded) -> None:
        for connection in self.connections:
            if connection.gateway == gateway and connection.client.sid == said.sid:
                connection.hear(said)

    def _enter(self, client: Client) -> None:
        connection = self._attended(client)
        if connection is not None:
            connection.speak()

    def _attended(self, client: Client) -> Connection | None:
        attended = [c for c in self.connections if c.client is client and c.attended]
        return attended[0] if attended else None

    def _of(self, session: int, place: int) -> list[Connection]:
        """Returns a session's connection, counted from the newest; none if there is none."""
        client = self._client(session)
        theirs = [c for c in reversed(self.connections) if c.client is client and not c.closed]
        return [theirs[place % len(theirs)]] if theirs else []

    def _awake(self, transcriber: int) -> Transcriber | None:
        worker = self.transcribers[transcriber % TRANSCRIBERS]
        return None if worker.frozen else worker

    def _client(self, session: int) -> Client:
        return self.clients[session % len(self.clients)]

    def _transcriber(self) -> Transcriber:
        cuttings = {client.sid.rstrip(AGAIN): client.cutting for client in self.clients}
        return Transcriber(
            self._broker, self._name("t"), self._slots, lambda sid: cuttings[sid.rstrip(AGAIN)]
        )

    def _name(self, letter: str) -> str:
        self._born += 1
        return f"{letter}{self._born}"
