"""Connecting, ending and losing a session, as a person at the page sees it."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.asgi, pytest.mark.asyncio(loop_scope="module")]


async def connect(page: Page) -> None:
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.locator("#state")).to_have_text("Connected, session s1")


async def test_page_talks_to_its_own_host_only(page: Page, gateway) -> None:
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    await page.reload()
    await page.locator("summary").click()
    await connect(page)

    assert hosts == {f"127.0.0.1:{gateway.port}"}
    assert "/favicon.ico" not in gateway.paths


async def test_every_control_has_a_name_and_is_reached_by_keyboard(page: Page) -> None:
    unnamed = await page.evaluate(
        """() => Array.from(document.querySelectorAll("button, input, select, progress"))
            .filter((e) => !(e.textContent.trim() || e.labels?.length))
            .map((e) => e.outerHTML)"""
    )
    assert unnamed == []

    await page.locator("#connect").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#state")).to_have_text("Connected, session s1")
    await expect(page.locator("#finals")).to_have_attribute("aria-live", "polite")


async def test_connection_asks_for_interims_and_events_and_no_more(page: Page, gateway) -> None:
    await connect(page)

    assert gateway.queries == [{"interim_results": ["true"], "events": ["true"]}]


async def test_options_are_sent_with_the_next_connection(page: Page, gateway) -> None:
    await page.get_by_label("Language").select_option("en")
    await page.get_by_label("Endpointing").fill("700")
    await connect(page)

    assert gateway.queries[0]["language"] == ["en"]
    assert gateway.queries[0]["endpointing"] == ["700"]
    await expect(page.get_by_label("Language")).to_be_disabled()


async def test_models_that_serve_here_can_be_chosen(page: Page, gateway) -> None:
    """A vendor's name that stands for one of them is no choice of its own."""
    gateway.models = [
        {"id": "moonshine-tiny-en", "languages": ["en"], "interims": True, "word_times": True},
        {"id": "whisper-base", "languages": [*"abcdefg"], "interims": False, "word_times": True},
        {"id": "whisper-1"},
    ]
    await page.reload()
    await page.locator("summary").click()
    choices = page.get_by_label("Model").locator("option")
    await expect(choices).to_have_text(
        ["by the language", "moonshine-tiny-en (en)", "whisper-base (7 languages, finals only)"]
    )
    await page.get_by_label("Model").select_option("whisper-base")
    await connect(page)
    assert gateway.queries[0]["model"] == ["whisper-base"]


async def test_option_that_the_gateway_would_refuse_is_not_sent(page: Page, gateway) -> None:
    await page.get_by_label("Endpointing").fill("50")
    await page.locator("#connect").click()

    await expect(page.get_by_label("Endpointing")).to_be_focused()
    assert gateway.queries == []


async def test_ending_shows_the_last_words_and_the_duration(page: Page, gateway, final) -> None:
    gateway.finals_at_end = [final(1, "and goodbye", 0.0, 1.5, "end")]
    await connect(page)
    await page.get_by_role("button", name="End session").click()

    await expect(page.locator("#state")).to_have_text("Session ended, 0:12.3 of audio")
    await expect(page.locator("#finals p")).to_have_text(["and goodbye"])
    await expect(page.locator("#notice")).to_be_hidden()
    assert gateway.commands == ["end"]


async def test_disconnecting_needs_no_answer(page: Page) -> None:
    await connect(page)
    await page.get_by_role("button", name="Disconnect").click()

    await expect(page.locator("#state")).to_have_text("Disconnected")
    await expect(page.locator("#connect")).to_be_enabled()
    await expect(page.locator("#notice")).to_be_hidden()


@pytest.mark.parametrize(
    ("code", "words", "retry"),
    [
        (1001, "No audio came for a while", True),
        (1007, "could not read the audio", False),
        (1008, "Check the language under Options", False),
        (1009, "MAX_AUDIO_SIZE", False),
        (1011, "Something failed inside the service", True),
        (1012, "is restarting", True),
        (1013, "no free capacity", True),
        (4123, "closed the session", True),
    ],
)
async def test_close_code_is_said_in_words(
    page: Page, gateway, code: int, words: str, retry: bool
) -> None:
    await connect(page)
    await gateway.close(code)

    await expect(page.get_by_role("alert")).to_contain_text(words)
    await expect(page.get_by_role("alert")).to_contain_text(f"Close code {code}")
    await expect(page.locator("#reconnect")).to_be_visible(visible=retry)


async def test_failure_is_quoted_with_the_close(page: Page, gateway) -> None:
    await connect(page)
    await gateway.say(status="error", error="Language not supported: tlh", code="language")
    await gateway.close(1008)

    await expect(page.get_by_role("alert")).to_contain_text("Language not supported: tlh.")


async def test_lost_connection_is_shown_and_reconnects(page: Page, gateway) -> None:
    await connect(page)
    gateway.connection.transport.abort()
    await expect(page.get_by_role("alert")).to_contain_text("The connection was lost")

    await page.get_by_role("button", name="Reconnect").click()
    await expect(page.locator("#state")).to_have_text("Connected, session s2")
    await expect(page.get_by_role("alert")).to_be_hidden()


async def test_refused_handshake_is_explained_by_a_plain_get(page: Page, gateway) -> None:
    gateway.refusing = True
    gateway.refusal = (503, '{"status":"error","error":"draining"}', {"Retry-After": "5"})
    await page.locator("#connect").click()

    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("takes no sessions now (503): draining. Wait 5 s")
    gateway.refusing = False
    await page.get_by_role("button", name="Reconnect").click()
    await expect(page.locator("#state")).to_have_text("Connected, session s2")


async def test_reason_of_a_refusal_is_the_gateways(page: Page, gateway) -> None:
    """Guards whoever asked for what there is not: the page guessed at the reason."""
    gateway.refusing = True
    refusal = {"status": "error", "error": 'Model "mock" does not speak tlh'}
    gateway.refusal = (400, json.dumps(refusal), {})
    await page.locator("#connect").click()

    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text('refused this session (400): Model "mock" does not speak')


async def test_refusal_that_the_gateway_would_not_repeat_points_at_proxies(page, gateway) -> None:
    gateway.refusing = True
    await page.locator("#connect").click()

    await expect(page.get_by_role("alert")).to_contain_text("lets WebSockets through")


async def test_gateway_that_is_gone_is_said_to_be_out_of_reach(page, gateway) -> None:
    await gateway.stop()
    await page.locator("#connect").click()

    await expect(page.get_by_role("alert")).to_contain_text("The gateway cannot be reached")


async def test_announced_restart_is_shown_while_the_session_lives(page: Page, gateway) -> None:
    await connect(page)
    await gateway.say(status="going_away")

    await expect(page.get_by_role("alert")).to_contain_text("about to restart")
    await expect(page.locator("#state")).to_have_text("Connected, session s1")


async def test_message_the_page_does_not_know_is_ignored(page: Page, gateway) -> None:
    await connect(page)
    await gateway.connection.send("not json")
    await gateway.say(status="weather", text="rain")
    await gateway.say(status="interim", text="still here", stable="still", start=0.0, end=1.0)

    await expect(page.locator("#interim")).to_have_text("still here")
