"""HTTP of the gateway: the page, what it is configured with, how it feels."""

from __future__ import annotations

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import JSONResponse, Response

from scripta_common.errors import ScriptaError
from scripta_common.settings import mask_password
from scripta_gateway.hub import Hub
from scripta_gateway.page import HEADERS, read_asset
from scripta_gateway.settings import GatewaySettings


def make_router(settings: GatewaySettings, hub: Hub, read_off: CollectorRegistry) -> APIRouter:
    """Returns the HTTP routes.

    Args:
        settings: The gateway's settings.
        hub: All its sessions.
        read_off: Metrics that are worked out when they are asked for.
    """
    router = APIRouter()

    @router.get("/")
    async def root(request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return _page("/")
        return JSONResponse({"message": "WebSocket Service is running"}, headers={"Vary": "Accept"})

    @router.get("/page/{name}")
    async def asset(name: str) -> Response:
        return _page(f"/page/{name}")

    @router.get("/config")
    async def config() -> dict[str, object]:
        return {
            "APP_PORT": settings.app_port,
            "REDIS_URL": mask_password(settings.redis_url),
        }

    @router.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    @router.get("/health")
    async def readyz() -> JSONResponse:
        try:
            await hub.check_ready()
        except ScriptaError as error:
            return JSONResponse(
                {"status": "unavailable", "reason": error.code, "error": str(error)}, 503
            )
        return JSONResponse({"status": "ok"})

    @router.get("/metrics")
    async def metrics() -> Response:
        text = generate_latest() + generate_latest(read_off)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return router


def _page(path: str) -> Response:
    asset = read_asset(path)
    if asset is None:
        return JSONResponse({"error": "There is no such page"}, 404)
    media_type, body = asset
    return Response(body, media_type=media_type, headers={**HEADERS, "Vary": "Accept"})
