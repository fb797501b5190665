"""The routes that answer questions about usage.

A caller hears of its own tenant. Whoever runs the gateway hears of all, on the port that is theirs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from scripta_common.errors import BadRequest, ScriptaError
from scripta_common.usage import UsageReader, UsageRow
from scripta_gateway.access.caller import Caller
from scripta_gateway.bounds import MAX_USAGE_HASHES, MAX_USAGE_ROWS
from scripta_gateway.routes import error_answer
from scripta_gateway.usage.answer import ANONYMOUS, Row, encode, rows_of
from scripta_gateway.usage.asked import Asked, parse

PATH: Final = "/v1/usage"
PATH_OF_ALL: Final = "/usage"

Endpoint = Callable[[Request], Awaitable[Response]]


class UsageAnswers:
    """Answers questions about usage.

    Args:
        reader: Reads it.
        unmetered: Returns how many transcribers do not count.
    """

    def __init__(self, reader: UsageReader, unmetered: Callable[[], int]) -> None:
        self._reader = reader
        self._unmetered = unmetered

    async def of_caller(self, caller: Caller, request: Request) -> Response:
        """Answers what the caller's tenant has used.

        Raises:
            BadRequest: The question can not be answered.
            BrokerUnavailable: The broker does not answer.
        """
        asked = parse(request.query_params.multi_items(), datetime.now(UTC))
        rows = rows_of(asked, await self._read(asked, caller.tenant, 0))
        return _json(encode(asked, rows, {"tenant": caller.tenant or ANONYMOUS}))

    async def of_all(self, request: Request) -> Response:
        """Answers what all tenants have used, or the one that is asked about.

        Raises:
            BadRequest: The question can not be answered.
            BrokerUnavailable: The broker does not answer.
        """
        query = request.query_params.multi_items()
        asked = parse(query, datetime.now(UTC), all_tenants=True)
        tenants = await self._tenants(asked)
        if len(asked.starts) * len(tenants) > MAX_USAGE_HASHES:
            raise BadRequest(
                f"This is too much for {len(tenants)} tenants; ask for a shorter time, by day "
                "instead of by hour, or with tenant=NAME for one."
            )
        rows: list[Row] = []
        for tenant in tenants:
            used = await self._read(asked, tenant, len(rows))
            rows += rows_of(asked, used, tenant or ANONYMOUS)
        return _json(encode(asked, rows, {"unmetered_transcribers": self._unmetered()}))

    async def _tenants(self, asked: Asked) -> list[str]:
        if asked.tenant is not None:
            return ["" if asked.tenant == ANONYMOUS else asked.tenant]
        return await self._reader.tenants(asked.since.timestamp())

    async def _read(self, asked: Asked, tenant: str, so_far: int) -> list[UsageRow]:
        used: list[UsageRow] = []
        # Cancelled here, nothing is left: these are reads.
        async for page in self._reader.pages(tenant, asked.starts):
            used += page
            if so_far + len(used) > MAX_USAGE_ROWS:
                raise BadRequest(
                    f"These are more than {MAX_USAGE_ROWS} rows; ask for a shorter time, or by day "
                    "instead of by hour."
                )
        return used


def endpoint(answer: Callable[[Request], Awaitable[Response]]) -> Endpoint:
    """Returns the endpoint of a route whose errors are answered in the native dialect's form."""

    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
        except ScriptaError as error:
            again = {"Retry-After": "5"} if error.retryable else None
            return error_answer(error.http_status, str(error), again)

    return answered


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})
