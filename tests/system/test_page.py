"""The page in a real Chromium, against a real gateway and a real transcriber: words appear."""

from __future__ import annotations

import importlib.util
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from chromium import chromium
from playwright.async_api import Page, expect

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WORDS_MS = 60_000


def sample(name: str) -> Path:
    """A recording that ships with the engine's model."""
    spec = importlib.util.find_spec("moonshine_voice")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "assets" / name


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with Stack() as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="module")
async def page(stack: Stack) -> AsyncIterator[Page]:
    """The page, with Beckett read into the microphone over and over."""
    async with chromium(sample("beckett.wav")) as browser:
        page = await browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto(stack.url)
        await page.locator("summary").click()
        yield page
        assert faults == []


async def test_file_becomes_words(page: Page) -> None:
    recording = sample("two_cities.wav")
    await page.get_by_label("Audio file").set_input_files(recording)

    finals = page.locator("#finals")
    await expect(finals).to_contain_text(
        "was the best of times", timeout=WORDS_MS, ignore_case=True
    )
    await expect(page.locator("#progress-text")).to_contain_text("Done", timeout=WORDS_MS)
    await expect(finals).to_contain_text("winter of despair", timeout=WORDS_MS, ignore_case=True)
    size = f"{recording.stat().st_size:,}"
    await expect(page.locator("#received-bytes")).to_have_text(size)

    await expect(page.locator("#state")).to_have_text(
        "Session ended, 0:44.4 of audio", timeout=WORDS_MS
    )
    await expect(page.get_by_role("alert")).to_be_hidden()


async def test_microphone_becomes_words(page: Page) -> None:
    await page.get_by_role("button", name="Start speaking").click()
    await expect(page.locator("#interim")).to_have_text(re.compile(r"\w"), timeout=WORDS_MS)
    finals = page.locator("#finals")
    await expect(finals).to_contain_text("ever failed", timeout=WORDS_MS, ignore_case=True)
    await page.get_by_role("button", name="End session").click()

    await expect(page.locator("#state")).to_contain_text("Session ended", timeout=WORDS_MS)
    sent = await page.locator("#sent-bytes").inner_text()
    assert await page.locator("#received-bytes").inner_text() == sent


async def test_one_click_goes_on_after_the_gateway_restarted(page: Page, stack: Stack) -> None:
    await page.get_by_role("button", name="Start speaking").click()
    await expect(page.locator("#received-messages")).not_to_have_text("0", timeout=WORDS_MS)
    await stack.kill_gateway(signal.SIGTERM)
    await expect(page.get_by_role("alert")).to_contain_text("is restarting", timeout=WORDS_MS)

    words = page.locator("#finals p")
    before = await words.count()
    await stack.wait_ready()
    await page.get_by_role("button", name="Reconnect").click()
    await expect(words.nth(before)).to_be_visible(timeout=WORDS_MS)
    await expect(page.get_by_role("alert")).to_be_hidden()
