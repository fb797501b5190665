from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.asgi

README = Path(__file__).parents[1] / "README.md"


async def test_example_runs_as_printed(gateway, recording, tmp_path):
    async def script(peer):
        await peer.until_end()
        await peer.final(1, "hello", 0.0, 1.0)
        await peer.over(1.0)

    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    file = tmp_path / "example.py"
    async with gateway(script) as server:
        file.write_text(example.replace("ws://localhost:8000/ws", server.url))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(file),
            str(recording),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(20):
            out, err = await process.communicate()
    assert (out.decode(), err.decode()) == ("  0.00  hello\n1.00 s of audio\n", "")
