"""Sending a file: all of its bytes, never more than the window ahead of the gateway."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.asgi, pytest.mark.asyncio(loop_scope="module")]

MESSAGE = 16 * 1024
WINDOW = 4


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "speech.flac"
    path.write_bytes(os.urandom(10 * MESSAGE + 123))
    return path


async def send(page: Page, path: Path) -> None:
    await page.get_by_label("Audio file").set_input_files(path)


async def test_file_arrives_whole_and_is_ended_once(page, gateway, until, recording) -> None:
    await send(page, recording)
    await until(lambda: gateway.commands == ["end"])

    assert b"".join(gateway.audio) == recording.read_bytes()
    assert [len(message) for message in gateway.audio] == [MESSAGE] * 10 + [123]
    await expect(page.locator("#progress-text")).to_contain_text("Done, 0:12.3 of audio at")
    await expect(page.locator("#sent-messages")).to_have_text("11")
    await expect(page.locator("#received-messages")).to_have_text("11")
    await expect(page.locator("#received-bytes")).to_have_text("163,963")


async def test_no_more_than_the_window_is_sent_ahead(page, gateway, until, recording) -> None:
    gateway.hold = True
    await send(page, recording)
    for answered in range(3):
        await until(lambda expected=answered + WINDOW: len(gateway.audio) == expected)
        # A message too many would come on the same socket before the answer to this ping.
        await asyncio.wait_for(await gateway.connection.ping(), 10)
        assert len(gateway.audio) == answered + WINDOW
        await expect(page.locator("#sent-messages")).to_have_text(str(answered + WINDOW))
        await expect(page.locator("#received-messages")).to_have_text(str(answered))
        await gateway.answer(1)


async def test_progress_shows_what_is_acknowledged(page, gateway, until, recording) -> None:
    gateway.hold = True
    await send(page, recording)
    await until(lambda: len(gateway.audio) == WINDOW)
    await expect(page.locator("#progress-text")).to_have_text("Uploading, 0 %")

    await gateway.answer(2)
    await expect(page.locator("#progress-text")).to_have_text("Uploading, 19 %")
    assert await page.locator("#progress").evaluate("(bar) => bar.value") == 2 * MESSAGE


async def test_refused_file_is_stopped_and_its_session_ends(
    page, gateway, until, recording
) -> None:
    gateway.hold = True
    await send(page, recording)
    await until(lambda: len(gateway.audio) == WINDOW)
    await gateway.say(status="error", error="Audio cannot be decoded: no stream in it")

    await expect(page.get_by_role("alert")).to_contain_text("refused the file: Audio cannot be")
    await until(lambda: gateway.commands == ["end"])
    assert len(gateway.audio) == WINDOW
    await expect(page.locator("#state")).to_contain_text("Session ended")
    await expect(page.get_by_label("Audio file")).to_be_enabled()


async def test_sending_can_be_stopped(page, gateway, until, recording) -> None:
    gateway.hold = True
    await send(page, recording)
    await until(lambda: len(gateway.audio) == WINDOW)
    await page.get_by_role("button", name="Stop sending").click()

    await until(lambda: gateway.commands == ["end"])
    assert len(gateway.audio) == WINDOW
    await expect(page.get_by_role("button", name="Stop sending")).to_be_disabled()


async def test_second_file_gets_a_session_of_its_own(page, gateway, until, recording) -> None:
    await send(page, recording)
    await until(lambda: gateway.commands == ["end"])
    await expect(page.get_by_label("Audio file")).to_be_enabled()
    await send(page, recording)
    await until(lambda: gateway.commands == ["end", "end"])

    assert len(gateway.queries) == 2
    assert b"".join(gateway.audio) == recording.read_bytes() * 2
    await expect(page.locator("#sent-messages")).to_have_text("11")


async def test_close_while_sending_is_shown(page, gateway, until, recording) -> None:
    gateway.hold = True
    await send(page, recording)
    await until(lambda: len(gateway.audio) == WINDOW)
    await gateway.close(1012)

    await expect(page.get_by_role("alert")).to_contain_text("is restarting")
    await expect(page.get_by_label("Audio file")).to_be_enabled()


async def test_empty_file_is_not_sent(page, gateway, tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    path.write_bytes(b"")
    await send(page, path)

    await expect(page.get_by_role("alert")).to_contain_text("empty.wav is empty")
    assert gateway.queries == []


async def test_file_that_changes_while_it_is_sent_is_said(page, gateway, until, recording) -> None:
    gateway.hold = True
    await send(page, recording)
    await until(lambda: len(gateway.audio) == WINDOW)
    recording.write_bytes(b"other")
    await gateway.answer(WINDOW)

    await expect(page.get_by_role("alert")).to_contain_text("The file cannot be read")
    await until(lambda: gateway.commands == ["end"])
