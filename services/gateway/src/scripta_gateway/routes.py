"""HTTP of the gateway: the page and probes; metrics and settings for who runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import JSONResponse, Response

from scripta_common.errors import ScriptaError
from scripta_common.settings import mask_password
from scripta_gateway.page import HEADERS, read_asset
from scripta_gateway.sessions.hub import Hub
from scripta_gateway.settings import GatewaySettings
from scripta_gateway.telemetry.scrapes import Scrapes

_READ: Final = ["GET", "HEAD"]


def make_router() -> APIRouter:
    """Returns the HTTP routes of the page."""
    return _read_only({"/": _root, "/page/{name}": _asset})


def make_probes(hub: Hub) -> APIRouter:
    """Returns the routes that tell if the gateway is alive and ready.

    Args:
        hub: All sessions of the gateway.
    """

    async def readyz() -> Response:
        return await _readiness(hub)

    return _read_only({"/livez": _livez, "/readyz": readyz, "/health": readyz})


def make_admin_router(settings: GatewaySettings, read_off: CollectorRegistry) -> APIRouter:
    """Returns the HTTP routes for whoever runs the gateway.

    Args:
        settings: The gateway's settings.
        read_off: Metrics that are worked out when they are asked for.
    """
    scrapes = Scrapes(lambda: generate_latest() + generate_latest(read_off))
    config = {"APP_PORT": settings.app_port, "REDIS_URL": mask_password(settings.redis_url)}

    async def metrics() -> Response:
        return Response(await scrapes.text(), media_type=CONTENT_TYPE_LATEST)

    async def show_config() -> Response:
        return JSONResponse(config)

    return _read_only({"/config": show_config, "/metrics": metrics})


def error_answer(status: int, error: str, headers: dict[str, str] | None = None) -> Response:
    """Returns an HTTP error in the form of the native dialect's error frames."""
    return JSONResponse({"status": "error", "error": error}, status, headers)


def _read_only(routes: Mapping[str, Callable[..., Awaitable[Response]]]) -> APIRouter:
    router = APIRouter()
    for path, route in routes.items():
        router.add_api_route(path, route, methods=_READ, response_model=None)
    return router


async def _root(request: Request) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return _page("/")
    return JSONResponse({"message": "WebSocket Service is running"}, headers={"Vary": "Accept"})


async def _asset(name: str) -> Response:
    return _page(f"/page/{name}")


async def _livez() -> Response:
    return JSONResponse({"status": "ok"})


async def _readiness(hub: Hub) -> Response:
    try:
        await hub.check_ready()
    except ScriptaError as error:
        body = {"status": "unavailable", "reason": error.code, "error": str(error)}
        return JSONResponse(body, 503)
    return JSONResponse({"status": "ok"})


def _page(path: str) -> Response:
    asset = read_asset(path)
    if asset is None:
        return error_answer(404, "There is no such page")
    media_type, body = asset
    return Response(body, media_type=media_type, headers={**HEADERS, "Vary": "Accept"})
