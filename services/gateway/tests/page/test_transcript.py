"""What the page shows of interims and finals."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.asgi, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def connected(page: Page) -> None:
    await page.locator("#connect").click()
    await expect(page.locator("#state")).to_have_text("Connected, session s1")


async def test_interim_changes_in_place_with_its_tail_faded(page: Page, gateway) -> None:
    await gateway.say(status="interim", text="hello", stable="", start=0.0, end=0.5)
    await expect(page.locator("#unstable")).to_have_text("hello")

    await gateway.say(status="interim", text="hello worl", stable="hello", start=0.0, end=1.0)
    await expect(page.locator("#stable")).to_have_text("hello")
    await expect(page.locator("#interim")).to_have_text("hello worl")
    colours = [
        await page.locator(part).evaluate("(e) => getComputedStyle(e).color")
        for part in ("#stable", "#unstable")
    ]
    assert colours[0] != colours[1]


async def test_final_takes_the_place_of_its_interim(page: Page, gateway, final) -> None:
    await gateway.say(status="interim", text="hello worl", stable="hello", start=0.0, end=1.0)
    await gateway.say(**final(1, "Hello, world.", 0.0, 1.98))
    await gateway.say(**final(2, "Again.", 75.26, 76.0))

    await expect(page.locator("#finals p")).to_have_text(["Hello, world.", "Again."])
    await expect(page.locator("#finals time")).to_have_text(["0:00.0", "1:15.3"])
    await expect(page.locator("#interim")).to_have_text("")


async def test_interim_that_a_final_has_overtaken_is_ignored(page: Page, gateway, final) -> None:
    await gateway.say(**final(1, "One.", 0.0, 2.0))
    await gateway.say(status="interim", text="on", stable="", start=0.0, end=1.5)
    await gateway.say(status="going_away")
    await expect(page.get_by_role("alert")).to_be_visible()
    assert await page.locator("#interim").inner_text() == ""

    await gateway.say(status="interim", text="tw", stable="", start=2.0, end=2.5)
    await expect(page.locator("#interim")).to_have_text("tw")


async def test_empty_final_adds_no_line_but_is_said(page: Page, gateway, final) -> None:
    await gateway.say(**final(1, "", 0.0, 4.0, "finalize"))

    await expect(page.locator("#state")).to_contain_text("no more speech up to 0:04.0")
    await expect(page.locator("#finals li")).to_have_count(0)


async def test_words_are_shown_as_text_and_never_as_markup(page: Page, gateway, final) -> None:
    await gateway.say(**final(1, "<img src=x onerror=alert(1)>", 0.0, 1.0))

    await expect(page.locator("#finals p")).to_have_text("<img src=x onerror=alert(1)>")
    assert await page.locator("#finals img").count() == 0


async def test_transcript_is_copied_one_final_a_line(page: Page, gateway, final) -> None:
    await gateway.say(**final(1, "One.", 0.0, 2.0))
    await gateway.say(**final(2, "Two.", 2.0, 3.0))
    await page.get_by_role("button", name="Copy transcript").click()

    await expect(page.locator("#copied")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == "One.\nTwo."


async def test_lines_of_a_new_session_follow_under_its_name(page: Page, gateway, final) -> None:
    await gateway.say(**final(1, "One.", 0.0, 2.0))
    await page.locator("#disconnect").click()
    await page.locator("#connect").click()
    await expect(page.locator("#state")).to_have_text("Connected, session s2")
    await gateway.say(status="interim", text="ne", stable="", start=0.0, end=0.5)
    await gateway.say(**final(1, "New.", 0.0, 2.0))

    await expect(page.locator("#finals li")).to_have_text(
        ["0:00.0One.", "Session s2", "0:00.0New."]
    )
