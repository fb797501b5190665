"""The browser in which the page is tested."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--host-resolver-rules=MAP elsewhere.test 127.0.0.1",
)


def find_chromium() -> str:
    """The browser on this machine; skips the test where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path is not None:
            return path
    pytest.skip("no Chromium here: install Debian's package chromium to run the page's tests")


@asynccontextmanager
async def chromium(microphone: Path) -> AsyncIterator[Browser]:
    """Runs the browser; its microphone hears a recording over and over."""
    executable = find_chromium()
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone}"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, headless=True, chromium_sandbox=False, args=flags
        )
        yield browser
        await browser.close()
