"""The package as its users have it, and programs that use it."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from vendors import installer

PACKAGE = Path(__file__).parents[1]
SECONDS = 60.0


@dataclass
class Talk:
    """A client's program at work, and what it has told."""

    process: asyncio.subprocess.Process
    told: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.told if each["type"] == kind]

    async def until(self, kind: str, count: int = 1) -> None:
        """Waits until it has told so many of a kind."""
        while len(self.of(kind)) < count:
            assert await self._read(), f"it ended before: {self.told[-5:]}"

    async def done(self) -> Talk:
        """Waits until it has ended by itself."""
        while await self._read():
            pass
        errors = b"" if self.process.stderr is None else await self.process.stderr.read()
        assert await self.process.wait() == 0, errors.decode()[-3000:]
        assert self.of("done")
        return self

    async def _read(self) -> bool:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if line:
            self.told.append(json.loads(line))
        return bool(line)


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """What the package's tests need; skips the test where that can not be installed."""
    try:
        return Path(installer().install("javascript")) / "node_modules"
    except installer().NotInstalled as error:
        pytest.skip(f"the JavaScript client can not be tested here: {error}")


@pytest.fixture(scope="session")
def workspace(node_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, where its programs find what they import."""
    copy = tmp_path_factory.mktemp("javascript") / "scripta-client"
    ignored = shutil.ignore_patterns("node_modules", "types", "*.py", "__pycache__")
    shutil.copytree(PACKAGE, copy, ignore=ignored)
    (copy / "node_modules").symlink_to(node_modules)
    return copy


@pytest.fixture
def talk(workspace: Path) -> Callable[..., Any]:
    """``async with talk(url=…, messages=…) as program`` runs ``programs/talk.mjs``."""

    @asynccontextmanager
    async def started(**plan: Any) -> AsyncIterator[Talk]:
        process = await asyncio.create_subprocess_exec(
            "node",
            "--expose-gc",
            str(workspace / "tests" / "programs" / "talk.mjs"),
            json.dumps(plan),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(SECONDS):
                yield Talk(process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    return started


@pytest.fixture(scope="session")
def readme_example() -> Callable[[str], str]:
    """``readme_example("node")`` returns an example as the README prints it."""
    readme = (PACKAGE / "README.md").read_text()

    def example(name: str) -> str:
        (found,) = re.findall(rf"<!-- example: {name} -->\n```js\n(.+?)```", readme, re.DOTALL)
        return str(found)

    return example
