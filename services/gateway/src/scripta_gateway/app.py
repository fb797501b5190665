"""The gateway as an ASGI application: one hub, the HTTP routes, one route a dialect."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final

from fastapi import FastAPI, Request, WebSocket
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from scripta_common.broker import Broker
from scripta_common.metrics import export_build
from scripta_common.tracing import Tracing
from scripta_common.usage import UsageReader
from scripta_gateway.access import caller
from scripta_gateway.access.configured import Access
from scripta_gateway.admission.admission import Admission
from scripta_gateway.audio.budget import StreamBudget, decoders_that_fit
from scripta_gateway.audio.processes import SHARED_PROCESSES
from scripta_gateway.calls.idle_clock import Patience
from scripta_gateway.calls.refusal import formulate
from scripta_gateway.calls.serving import serve_body, serve_stream, serve_websocket
from scripta_gateway.calls.tools import Tools
from scripta_gateway.dialects.base import Dialect
from scripta_gateway.dialects.deepgram import LiveDialect, PrerecordedDialect
from scripta_gateway.dialects.deepgram.models import MODELS
from scripta_gateway.dialects.deepgram.tokens import Grants
from scripta_gateway.dialects.model_names import ModelNames
from scripta_gateway.dialects.native import NativeDialect
from scripta_gateway.dialects.native.tokens import Tokens
from scripta_gateway.dialects.openai import RealtimeDialect, listing
from scripta_gateway.dialects.openai.errors import NOT_SERVED
from scripta_gateway.dialects.openai.models import TRANSCRIPTION_MODELS
from scripta_gateway.dialects.openai.recordings import RecordingsDialect
from scripta_gateway.dialects.openai.secrets import ClientSecrets
from scripta_gateway.dialects.vosk import VoskDialect
from scripta_gateway.dialects.wyoming import WyomingDialect
from scripta_gateway.outbound.fetching import Fetcher
from scripta_gateway.outbound.posting import Poster
from scripta_gateway.outbound.resolving import Resolver
from scripta_gateway.outbound.targets import Allowlist
from scripta_gateway.rest import handshakes, models, tokens
from scripta_gateway.rest.guard import guarded
from scripta_gateway.routes import error_answer, make_admin_router, make_probes, make_router
from scripta_gateway.sessions.hub import Hub
from scripta_gateway.sessions.session import Limits
from scripta_gateway.settings import GatewaySettings
from scripta_gateway.telemetry.fleet_metrics import FleetCollector
from scripta_gateway.telemetry.session_metrics import SessionCollector
from scripta_gateway.telemetry.tenant_metrics import TENANTS, TenantCollector
from scripta_gateway.transports.base import Refusal
from scripta_gateway.transports.edge import Formulate
from scripta_gateway.transports.tcp import TcpTransport
from scripta_gateway.transports.upgrade import Answer
from scripta_gateway.usage.routes import PATH, PATH_OF_ALL, UsageAnswers, endpoint

logger = logging.getLogger(__name__)


# FastAPI's own would hold whole queries, and with them the tokens that sessions are resumed by.
_NO_TELEMETRY: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


VOSK_PATH: Final = "/vosk"
_OPENAI_RECORDINGS: Final = "/v1/audio/transcriptions"


def _stop_without_hub(hub: Hub, upkeep: asyncio.Task[None]) -> None:
    # Without it no result would ever reach a client: better to start again than to look healthy.
    if not upkeep.cancelled() and upkeep.exception() is not None:
        logger.critical("hub failed", exc_info=upkeep.exception())
        hub.failed = True
        signal.raise_signal(signal.SIGTERM)


def _start_decoders() -> None:
    # So that the first compressed stream does not wait for it. It ends with this process.
    try:
        SHARED_PROCESSES.start()
    except OSError as error:
        logger.warning("decoders not started", extra={"reason": str(error)})


def _make_hub(settings: GatewaySettings, broker: Broker, gateway_id: str) -> Hub:
    return Hub(
        broker,
        gateway_id,
        ttl=settings.session_ttl_seconds,
        limits=Limits(
            backlog=settings.backlog_seconds,
            stall=settings.stall_seconds,
            broker_patience=settings.broker_patience_seconds,
        ),
        max_sessions=settings.max_sessions,
        admission=Admission(live_wait=settings.live_wait_seconds, max_uploads=settings.max_waiting),
        upload_wait=settings.upload_wait_seconds,
        resume_seconds=settings.resume_seconds,
        drain_spread=settings.drain_spread_seconds,
    )


@asynccontextmanager
async def _running(
    hub: Hub, broker: Broker, gateway_id: str, access: Access
) -> AsyncIterator[None]:
    upkeep = asyncio.create_task(hub.run(), name="hub")
    upkeep.add_done_callback(partial(_stop_without_hub, hub))
    watch = asyncio.create_task(
        access.watch(lambda: hub.held.dismiss(access.gatekeeper.admits)), name="access"
    )
    _start_decoders()
    logger.info("gateway started", extra={"gateway": gateway_id})
    yield
    for task in (upkeep, watch):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await broker.aclose()
    logger.info("gateway stopped")


def create_app(settings: GatewaySettings, gateway_id: str, tracing: Tracing) -> FastAPI:
    """Returns the application; its hub is ``app.state.hub``.

    ``app.state.admin`` is the application of the port for whoever runs the gateway: the same if it
    has none of its own.

    Args:
        settings: The gateway's settings.
        gateway_id: Its id, unique among all.
        tracing: Where its spans begin.
    """
    broker = Broker(settings.redis_url, name=f"scripta-gateway-{gateway_id}")
    hub = _make_hub(settings, broker, gateway_id)
    resolve = Resolver().resolve
    access = Access.of(settings)
    tools = Tools(
        hub=hub,
        patience=Patience(
            flush=settings.idle_flush_seconds,
            live=settings.live_flush_seconds,
            close=settings.idle_timeout_seconds,
            first=settings.first_audio_seconds,
        ),
        budget=StreamBudget(settings.max_decoders or decoders_that_fit(settings.max_sessions)),
        tracing=tracing,
        fetcher=Fetcher(
            Allowlist.parse("FETCH_HOSTS", settings.fetch_hosts),
            resolve,
            largest=settings.max_upload_bytes,
            proxy=settings.outbound_proxy,
        ),
        poster=Poster(
            Allowlist.parse("CALLBACK_HOSTS", settings.callback_hosts),
            resolve,
            settings.outbound_proxy,
        ),
        last_words=settings.last_words_seconds(),
        gatekeeper=access.gatekeeper,
    )
    app = _application(lifespan=lambda _: _running(hub, broker, gateway_id, access))
    app.state.hub = hub
    app.state.poster = tools.poster
    read_off = CollectorRegistry()
    read_off.register(FleetCollector(hub.fleet))
    read_off.register(SessionCollector(hub.held))
    TENANTS.limit(settings.tenant_metrics)
    read_off.register(TenantCollector(TENANTS, hub.held.tenants))
    export_build("gateway", settings.scripta_revision)
    app.include_router(make_router())
    admin = app.state.admin = _application() if settings.admin_port else app
    if admin is app and not access.gatekeeper.open:
        logger.warning("metrics and settings need no key; set ADMIN_PORT to keep them apart")
    admin.include_router(make_admin_router(settings, read_off))
    for each in {app, admin}:
        each.include_router(make_probes(hub))

    websockets = _websockets(settings)
    for path, dialect in websockets.items():
        _mount_websocket(app, path, dialect, tools)
        if path != VOSK_PATH:
            app.add_route(path, handshakes.endpoint(dialect, tools), methods=["GET"])
    recordings = _recordings(settings)
    for path, dialect in recordings.items():
        app.router.routes.append(Route(path, _Recordings(dialect, tools), methods=["POST"]))
    app.state.streams = _streams(settings, tools)
    not_served = dict.fromkeys(NOT_SERVED, recordings[_OPENAI_RECORDINGS])
    app.state.uploads = {
        path: partial(formulate, dialect) for path, dialect in (recordings | not_served).items()
    }
    app.add_exception_handler(HTTPException, partial(_answer_error, app.state.uploads))

    for path in models.PATHS:
        app.add_route(path, models.endpoint(listing, tools, settings.own_models()))

    token_forms = _token_forms(settings)
    for path, form in token_forms.items():
        answer = tokens.endpoint(form, access.mint, tools.gatekeeper)
        app.add_route(path, answer, methods=["POST"])

    fleet = hub.fleet
    usage = UsageAnswers(
        UsageReader(broker), lambda: sum(pool.unmetered for pool in fleet.known.pools.values())
    )
    refuse = NativeDialect().refuse
    app.add_route(PATH, guarded(usage.of_caller, tools.gatekeeper, caller.Scope.USAGE, refuse))
    if admin is not app:  # there is no port where everybody may hear of all tenants
        admin.add_route(PATH_OF_ALL, endpoint(usage.of_all))

    # Who is refused there hears it in the form of the path.
    app.state.guarded = frozenset((*app.state.uploads, *models.PATHS, *token_forms, PATH))

    for path, refusal in NOT_SERVED.items():
        app.add_route(path, partial(_not_served, refusal), methods=["POST"])

    no_websocket = _no_websocket(path for path in websockets if path != VOSK_PATH)
    for each in {app, admin}:
        each.add_api_websocket_route("/{path:path}", no_websocket)
    return app


def _application(**options: Any) -> FastAPI:
    app = FastAPI(
        title="Scripta gateway",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # it would say nothing of what counts here, the WebSocket
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
        **options,
    )
    app.add_exception_handler(HTTPException, partial(_answer_error, {}))
    return app


def _no_websocket(served: Iterable[str]) -> Callable[[WebSocket], Awaitable[None]]:
    """Returns what refuses a WebSocket at a path where there is none."""
    paths = ", ".join(served)
    answer = error_answer(404, f"There is no WebSocket at this path; they are at: {paths}")

    async def refuse(websocket: WebSocket) -> None:
        await websocket.send_denial_response(answer)

    return refuse


def _websockets(settings: GatewaySettings) -> dict[str, Dialect]:
    """Returns the dialects that are spoken over WebSocket, by the path of each."""
    openai_names = ModelNames(TRANSCRIPTION_MODELS, settings.own_models())
    deepgram_names = ModelNames(MODELS, settings.own_models())
    dialects: dict[str, Dialect] = {
        "/ws": NativeDialect(),
        "/v1/realtime": RealtimeDialect(openai_names),
        "/v1/listen": LiveDialect(deepgram_names),
    }
    if settings.vosk_port:
        dialects[VOSK_PATH] = VoskDialect(settings.own_models())
    return dialects


def _streams(
    settings: GatewaySettings, tools: Tools
) -> dict[int, Callable[[TcpTransport], Awaitable[None]]]:
    """Returns what serves the connections of a port where a dialect is spoken over plain TCP."""
    if not settings.wyoming_port:
        return {}
    fleet = tools.hub.fleet
    wyoming = WyomingDialect(
        lambda: [model for pool in fleet.known.pools.values() for model in pool.served],
        settings.own_models(),
        settings.max_audio_size,
    )
    return {settings.wyoming_port: partial(serve_stream, dialect=wyoming, tools=tools)}


def _recordings(settings: GatewaySettings) -> dict[str, Dialect]:
    """Returns the dialects that take a recording in the body of a POST, by the path of each."""
    openai_names = ModelNames(TRANSCRIPTION_MODELS, settings.own_models())
    deepgram_names = ModelNames(MODELS, settings.own_models())
    return {
        _OPENAI_RECORDINGS: RecordingsDialect(openai_names),
        "/v1/listen": PrerecordedDialect(deepgram_names),
    }


def _token_forms(settings: GatewaySettings) -> dict[str, tokens.Form]:
    """Returns the forms in which short-lived tokens are asked for, by the path of each."""
    own_name = ModelNames(TRANSCRIPTION_MODELS, settings.own_models()).own
    return {
        "/v1/tokens": Tokens(),
        "/v1/auth/grant": Grants(),
        "/v1/realtime/client_secrets": ClientSecrets(own_name, as_beta=False),
        "/v1/realtime/transcription_sessions": ClientSecrets(own_name, as_beta=True),
    }


class _Recordings:
    """The ASGI application of one path that recordings are posted to."""

    def __init__(self, dialect: Dialect, tools: Tools) -> None:
        self._dialect = dialect
        self._tools = tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await serve_body(scope, receive, send, self._dialect, self._tools)


def _mount_websocket(app: FastAPI, path: str, dialect: Dialect, tools: Tools) -> None:
    @app.websocket(path)
    async def serve(websocket: WebSocket) -> None:
        await serve_websocket(websocket, dialect, tools)


async def _not_served(refusal: Refusal, _: Request) -> Response:
    return Response(refusal.body, refusal.status, media_type=refusal.media_type)


async def _answer_error(
    forms: Mapping[str, Formulate], request: Request, error: Exception
) -> Response:
    assert isinstance(error, HTTPException)
    allowed = (error.headers or {}).get("Allow", "")
    only = (
        "Send a recording by POST" if allowed == "POST" else "This is only to be read: GET or HEAD"
    )
    words = {404: "There is nothing here", 405: only}
    said, headers = words.get(error.status_code, error.detail), dict(error.headers or {})
    formulate_it = forms.get(request.url.path)
    if formulate_it is None:
        return error_answer(error.status_code, said, headers)
    body = formulate_it(Answer(error.status_code, said)).body
    return Response(body, error.status_code, headers, media_type="application/json")
