"""The rows of the table: every fault that the suite knows. Add yours here.

Where a gateway dies, its clients lose their connection: such a fault names a client that comes
back and says that it may close.
"""

from __future__ import annotations

import signal
from typing import Final

from .broker_faults import BrokerFailover, BrokerFull, BrokerKilled, BrokerPaused, ConnectionsReset
from .faults import Case
from .gateway_faults import GatewayFrozen, GatewayGone
from .returning import speak_and_return
from .worker_faults import (
    AllWorkersKilled,
    NoWorker,
    RollingRestart,
    ScaledUp,
    WorkerFrozen,
    WorkerKilled,
    WorkerTerminated,
)

CASES: Final = (
    Case("none", None),
    Case("worker-kill", WorkerKilled()),
    Case("worker-crash", WorkerKilled("transcriber SIGSEGV", signal.SIGSEGV)),
    Case("worker-all", AllWorkersKilled()),
    Case("worker-freeze", WorkerFrozen(), lasts=4.0),
    Case("worker-term", WorkerTerminated()),
    Case("worker-roll", RollingRestart(), lasts=12.0, least_sessions=12),
    Case("worker-up", ScaledUp(), lasts=10.0, least_sessions=12),
    Case("worker-none", NoWorker(), lasts=5.0),
    Case("broker-reset", ConnectionsReset("normal")),
    Case("broker-unsubscribe", ConnectionsReset("pubsub")),
    Case("broker-pause", BrokerPaused(), lasts=5.0),
    Case("broker-kill", BrokerKilled(), lasts=1.0),
    Case("broker-empty", BrokerKilled(empty=True), lasts=1.0),
    Case("broker-full", BrokerFull(), lasts=3.0),
    Case("broker-failover", BrokerFailover(), lasts=2.0),
    Case("gateway-freeze", GatewayFrozen(), lasts=3.0),
    Case("gateway-kill", GatewayGone(), lasts=2.0, speak=speak_and_return, may_close=True),
    Case(
        "gateway-term",
        GatewayGone("gateway SIGTERM", signal.SIGTERM),
        lasts=4.0,
        speak=speak_and_return,
        may_close=True,
    ),
)
