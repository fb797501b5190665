"""Taking up a session that an earlier connection began: reads what is kept of it from the log."""

from __future__ import annotations

from scripta_common.sessionlog import Attachment, GatewayLog
from scripta_common.wire import SAMPLE_RATE, EntryKind
from scripta_gateway.access.caller import ANONYMOUS, Caller
from scripta_gateway.sessions.exchange import Exchange
from scripta_gateway.sessions.ledger import Ledger
from scripta_gateway.sessions.log_writer import Limits
from scripta_gateway.sessions.session import Session
from scripta_gateway.sessions.takeover import Takeover
from scripta_gateway.telemetry.latency import Stopwatch


async def resume_session(
    log: GatewayLog,
    sid: str,
    attachment: Attachment,
    index: int,
    limits: Limits,
    *,
    caller: Caller = ANONYMOUS,
    token_digest: str = "",
) -> Session:
    """Returns a session that an earlier connection began.

    Cancelled, it leaves the session to this connection, which nobody holds: the next connection
    that attaches takes it over.

    Args:
        log: The session log.
        sid: The session's id.
        attachment: Where it stands; it is this connection's already.
        index: Last result that the client has.
        limits: Bounds.
        caller: For whom it is.
        token_digest: Digest of the token that takes it up again.

    Raises:
        NotResumable: The log has lost a part of it meanwhile.
        BrokerUnavailable: The broker does not answer.
    """
    takeover = Takeover(attachment)
    while (after := takeover.next_read()) is not None:
        if not takeover.read(await log.read_entries(sid, after)):
            takeover.polled(await log.poll(sid))
    attachment, retained = takeover.attachment, takeover.entries
    ledger = Ledger.resumed(int(limits.backlog * SAMPLE_RATE), attachment, retained, index)
    session = Session(
        log,
        sid,
        attachment.options,
        limits,
        Exchange(ledger, connection=attachment.connection, logged=attachment.seq, joined=True),
        Stopwatch(before=attachment.seq),
        caller=caller,
        token_digest=token_digest,
    )
    over = attachment.status != "open"
    session.ending = over or any(entry.kind is EntryKind.END for entry in retained)
    session.read_up()
    return session
