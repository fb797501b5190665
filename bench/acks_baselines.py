"""What ``acks.py`` compares with: the plain broadcast design, and a bare echo.

``gateway`` and ``transcriber`` are the plain design, as one would write it first: each chunk and
each result is published on one channel; the worker and every connection listen to all of it and
pick what is theirs. ``echo`` acknowledges and does nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import sys
from datetime import datetime

import uvicorn
from fastapi import FastAPI, WebSocket
from redis.asyncio import Redis
from starlette.websockets import WebSocketDisconnect

_ids = itertools.count(1)


CHANNEL = "speech"


def _redis() -> Redis:
    return Redis.from_url(
        os.environ["REDIS_URL"], protocol=3, legacy_responses=False, max_connections=1000
    )


def broadcast_gateway() -> FastAPI:
    """Returns the plain design's gateway."""
    app, redis = FastAPI(), _redis()

    async def relay(websocket: WebSocket, client_id: int) -> None:
        async with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(CHANNEL)
            async for message in pubsub.listen():
                result = json.loads(message["data"])
                if result["status"] == "transcript" and result["client_id"] == client_id:
                    await websocket.send_json(result)

    @app.websocket("/ws")
    async def serve(websocket: WebSocket) -> None:
        await websocket.accept()
        client_id = next(_ids)
        task = asyncio.create_task(relay(websocket, client_id))
        try:
            while True:
                data = await websocket.receive_bytes()
                audio = base64.b64encode(data).decode()
                chunk = {"client_id": client_id, "audio": audio, "status": "audio"}
                await redis.publish(CHANNEL, json.dumps(chunk))
                await websocket.send_json({"status": "received", "size": len(data)})
        except WebSocketDisconnect:
            pass
        finally:
            task.cancel()

    return app


async def broadcast_transcriber() -> None:
    """Runs the plain design's worker."""
    redis = _redis()
    async with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe(CHANNEL)
        async for message in pubsub.listen():
            chunk = json.loads(message["data"])
            if chunk["status"] != "audio":
                continue
            size = len(base64.b64decode(chunk["audio"]))
            text = f"Transcribed: {datetime.now():%Y-%m-%d %H:%M:%S} (size: {size} bytes)"
            result = {"client_id": chunk["client_id"], "text": text, "status": "transcript"}
            await redis.publish(CHANNEL, json.dumps(result))


def echo() -> FastAPI:
    """Returns a gateway that only acknowledges."""
    app = FastAPI()

    @app.websocket("/ws")
    async def serve(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                data = await websocket.receive_bytes()
                await websocket.send_json({"status": "received", "size": len(data)})
        except WebSocketDisconnect:
            pass

    return app


def main() -> None:
    """Runs the part that is asked for."""
    part = sys.argv[1]
    if part == "transcriber":
        asyncio.run(broadcast_transcriber())
        return
    app = echo() if part == "echo" else broadcast_gateway()
    port = int(os.environ["PORT"])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", loop="uvloop")


if __name__ == "__main__":
    main()
