"""The transcriber's probes and metrics over HTTP.

Served by the event loop that does the work, so liveness says that the loop turns. It does not
depend on the broker: restarting a transcriber mends no broker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class ProbeServer(uvicorn.Server):
    """HTTP server for probes; leaves signals to its owner.

    Args:
        host: Address to listen on.
        port: Port to listen on.
        started: Returns whether the model is loaded.
        readiness: Returns why the transcriber can not take work, ``None`` if it can.
    """

    def __init__(
        self,
        host: str,
        port: int,
        started: Callable[[], bool],
        readiness: Callable[[], Awaitable[str | None]],
    ) -> None:
        async def startupz(_: Request) -> Response:
            if not started():
                error = "The model is being loaded."
                return JSONResponse({"status": "unavailable", "error": error}, 503)
            return JSONResponse({"status": "ok"})

        async def livez(_: Request) -> Response:
            return JSONResponse({"status": "ok"})

        async def readyz(_: Request) -> Response:
            reason = await readiness()
            if reason is not None:
                return JSONResponse({"status": "unavailable", "error": reason}, 503)
            return JSONResponse({"status": "ok"})

        async def metrics(_: Request) -> Response:
            return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

        routes = [
            Route("/startupz", startupz),
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ]
        super().__init__(
            uvicorn.Config(
                Starlette(routes=routes),
                host=host,
                port=port,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone: the transcriber drains first."""
        yield
