"""Faults that people met who used the page for the first time."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.asgi, pytest.mark.asyncio(loop_scope="module")]


async def test_microphone_starts_after_a_file(page: Page, gateway, until, tmp_path: Path) -> None:
    """Guards who speaks after a file: the page opened a session and sent nothing."""
    path = tmp_path / "speech.wav"
    path.write_bytes(b"RIFF" * 100)
    await page.get_by_label("Audio file").set_input_files(path)
    await until(lambda: gateway.commands == ["end"])
    await expect(page.locator("#state")).to_contain_text("Session ended")
    await page.get_by_role("button", name="Start speaking").click()

    await until(lambda: len(gateway.audio) >= 3)


async def test_microphone_is_started_and_stopped_by_keyboard(page: Page, gateway, until) -> None:
    """Guards who has no mouse: the focus went to the body when the button was disabled."""
    await page.locator("#microphone").focus()
    await page.keyboard.press("Enter")
    await until(lambda: len(gateway.audio) >= 2)
    await expect(page.locator("#microphone")).to_be_focused()
    await page.keyboard.press("Enter")

    await until(lambda: gateway.commands == ["finalize"])
    await expect(page.locator("#microphone")).to_be_focused()


async def test_focus_goes_on_from_a_control_that_is_disabled(page: Page) -> None:
    await page.locator("#connect").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#disconnect")).to_be_focused()
    await page.keyboard.press("Enter")

    await expect(page.locator("#connect")).to_be_focused()


async def test_open_words_are_kept_and_marked(page: Page, gateway) -> None:
    """Guards the last words before a loss: they stayed as if more of them would come."""
    await page.locator("#connect").click()
    await expect(page.locator("#state")).to_have_text("Connected, session s1")
    await gateway.say(status="interim", text="Half a.", stable="Half", start=0.0, end=1.0)
    await expect(page.locator("#interim")).to_have_text("Half a")
    await page.locator("#disconnect").click()

    await expect(page.locator("#finals li.open")).to_have_text("0:00.0Half acut off")
    await expect(page.locator("#interim")).to_have_text("")


async def test_microphone_of_a_gateway_that_died_is_not_blamed(page, gateway, until) -> None:
    """Guards who reconnects at once: the code for the microphone came from the dead gateway."""
    await page.get_by_role("button", name="Start speaking").click()
    await until(lambda: len(gateway.audio) >= 2)
    await gateway.stop()
    await page.get_by_role("button", name="Reconnect").click()

    await expect(page.get_by_role("alert")).to_contain_text("The gateway cannot be reached")
    await expect(page.get_by_role("button", name="Reconnect")).to_be_enabled()


async def test_file_without_words_is_said_with_the_gateways_doubt(
    page: Page, gateway, until, tmp_path: Path
) -> None:
    """Guards who sends a picture: the page said 100 % and nothing else."""
    gateway.hold = True
    path = tmp_path / "picture.png"
    path.write_bytes(bytes(1000))
    await page.get_by_label("Audio file").set_input_files(path)
    await until(lambda: len(gateway.audio) == 1)
    await gateway.say(status="warning", warning="This looks like noise")
    await gateway.answer(1)

    said = page.locator("#notice-text")
    await expect(said).to_have_text("No words were heard in picture.png. This looks like noise.")


async def test_narrow_window_does_not_scroll_sideways(page: Page, gateway, final) -> None:
    await page.set_viewport_size({"width": 320, "height": 640})
    await page.locator("#connect").click()
    await expect(page.locator("#state")).to_have_text("Connected, session s1")
    await gateway.say(**final(1, "Incomprehensibilities" * 4, 0.0, 1.0))
    await expect(page.locator("#finals p")).to_be_visible()

    assert await page.evaluate("document.documentElement.scrollWidth") == 320


async def test_gateway_that_asks_for_a_key_gets_one(page: Page, gateway) -> None:
    gateway.refusing = True
    gateway.refusal = (401, '{"status":"error","error":"No key"}', {})
    await page.locator("#connect").click()

    await expect(page.get_by_role("alert")).to_contain_text("asks for a key")
    await expect(page.get_by_label("Key or token")).to_be_focused()
