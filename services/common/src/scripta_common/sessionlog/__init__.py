"""The session log: everything that gateways and transcribers tell each other.

``GatewayLog`` is the gateway's half (open, append, poll, read results), ``TranscriberLog`` the
transcriber's (lease, read audio, commit); ``Roster`` says who is there to serve. Every
change of more than one key is one script, and every script absorbs being run twice.
"""

from scripta_common.sessionlog.doorbell import Doorbell
from scripta_common.sessionlog.gateway import GatewayLog
from scripta_common.sessionlog.leasing import Assignment
from scripta_common.sessionlog.options import SessionOptions
from scripta_common.sessionlog.roster import Roster
from scripta_common.sessionlog.standing import (
    AheadOfLog,
    AppendOutcome,
    Attachment,
    LineFull,
    NotResumable,
    Progress,
    Standing,
)
from scripta_common.sessionlog.transcriber import (
    Claim,
    Fenced,
    SessionGone,
    TranscriberLog,
)

__all__ = [
    "AheadOfLog",
    "AppendOutcome",
    "Assignment",
    "Attachment",
    "Claim",
    "Doorbell",
    "Fenced",
    "GatewayLog",
    "LineFull",
    "NotResumable",
    "Progress",
    "Roster",
    "SessionGone",
    "SessionOptions",
    "Standing",
    "TranscriberLog",
]
