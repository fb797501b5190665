"""The microphone: a fake device that plays a tone into a real browser."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.asgi, pytest.mark.asyncio(loop_scope="module")]

MESSAGE = 3200


async def start(page: Page) -> None:
    await page.get_by_role("button", name="Start speaking").click()


async def stop(page: Page) -> None:
    await page.get_by_role("button", name="Stop speaking").click()


def samples(messages: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(messages), "<i2").astype(np.float64)


async def test_sound_comes_as_100_ms_messages_of_16_khz(page, gateway, until) -> None:
    await start(page)
    await until(lambda: len(gateway.audio) >= 12)
    await stop(page)
    await until(lambda: gateway.commands == ["finalize"])

    assert {len(message) for message in gateway.audio[:-1]} == {MESSAGE}
    assert 0 < len(gateway.audio[-1]) <= MESSAGE
    spectrum = np.abs(np.fft.rfft(samples(gateway.audio)[8000:16_000] * np.hanning(8000)))
    assert abs(int(spectrum.argmax()) * 2 - 1000) <= 2


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000, 96_000])
async def test_resampling_keeps_speech_and_admits_no_alias(page: Page, rate: int) -> None:
    """Guards against a filter that lets tones above 8 kHz fold into speech, or drifts in time."""
    levels = await page.evaluate(
        """async (rate) => {
            const heard = async (hertz) => {
                const context = new OfflineAudioContext(1, rate * 2, rate);
                await context.audioWorklet.addModule("page/capture-worklet.js");
                const node = new AudioWorkletNode(context, "capture");
                const chunks = [];
                node.port.onmessage = ({ data }) => {
                    if (data !== null) chunks.push(...new Int16Array(data));
                };
                const tone = new OscillatorNode(context, { frequency: hertz });
                tone.connect(new GainNode(context, { gain: 0.5 })).connect(node);
                node.connect(context.destination);
                tone.start();
                await context.startRendering();
                while (chunks.length < 28800) await new Promise((go) => setTimeout(go, 10));
                return chunks;
            };
            const tones = rate > 16000 ? [1000, 9500] : [1000];
            return Promise.all(tones.map(heard));
        }""",
        rate,
    )
    speech = np.array(levels[0][3200:19_200], dtype=np.float64) / 32_768
    assert np.sqrt(np.mean(speech**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)
    spectrum = np.abs(np.fft.rfft(speech * np.hanning(len(speech))))
    assert int(spectrum.argmax()) == 1000
    for alias in levels[1:]:
        above = np.array(alias[3200:19_200], dtype=np.float64) / 32_768
        assert np.sqrt(np.mean(above**2)) < 0.002


@pytest.mark.parametrize("rate", [16_000, 48_000])
async def test_messages_hold_all_sound_after_a_silent_millisecond(page: Page, rate: int) -> None:
    """Guards against speech that looks like a file's header, and against a lost last word."""
    sizes, first = await page.evaluate(
        """async (rate) => {
            const context = new OfflineAudioContext(1, rate * 0.256, rate);
            await context.audioWorklet.addModule("page/capture-worklet.js");
            const node = new AudioWorkletNode(context, "capture");
            const messages = [];
            const flushed = new Promise((resolve) => {
                node.port.onmessage = ({ data }) => (data ? messages.push(data) : resolve());
            });
            const sound = new ConstantSourceNode(context, { offset: 0.5 });
            sound.connect(node).connect(context.destination);
            sound.start();
            await context.startRendering();
            node.port.postMessage("stop");
            await flushed;
            const first = Array.from(new Int16Array(messages[0]).slice(0, 40));
            return [messages.map((message) => message.byteLength), first];
        }""",
        rate,
    )
    assert sizes[:2] == [MESSAGE, MESSAGE]
    assert sum(sizes) == pytest.approx(0.256 * 32_000, abs=96)  # the filter reaches 1 ms
    assert first[:16] == [0] * 16
    assert first[39] == pytest.approx(0.5 * 32_767, rel=0.02)


async def test_microphone_can_go_on_in_the_same_session(page, gateway, until) -> None:
    await start(page)
    await until(lambda: len(gateway.audio) >= 2)
    await stop(page)
    await until(lambda: gateway.commands == ["finalize"])
    before = len(gateway.audio)
    await start(page)
    await until(lambda: len(gateway.audio) >= before + 2)

    assert len(gateway.queries) == 1


async def test_ending_while_speaking_sends_the_last_sound_first(page, gateway, until) -> None:
    await start(page)
    await until(lambda: len(gateway.audio) >= 3)
    await page.get_by_role("button", name="End session").click()

    await expect(page.locator("#state")).to_have_text("Session ended, 0:12.3 of audio")
    assert gateway.commands == ["finalize", "end"]
    await expect(page.get_by_role("button", name="Start speaking")).to_be_enabled()


async def test_close_while_speaking_is_shown_and_reconnect_speaks_on(page, gateway, until) -> None:
    await start(page)
    await until(lambda: len(gateway.audio) >= 2)
    await gateway.close(1012)
    await expect(page.get_by_role("alert")).to_contain_text("is restarting")
    await expect(page.get_by_role("button", name="Start speaking")).to_be_enabled()

    before = len(gateway.audio)
    await page.get_by_role("button", name="Reconnect").click()
    await until(lambda: len(gateway.audio) >= before + 2)
    await expect(page.locator("#state")).to_have_text("Connected, session s2")


async def test_unanswered_sound_is_bounded(page: Page, gateway, until) -> None:
    """Guards against a page that keeps speech in memory for as long as the gateway is slow."""
    gateway.hold = True
    await page.evaluate(
        """async () => {
            const { Session, sessionUrl } = await import("/page/session.js");
            window.held = new Session(sessionUrl(document.baseURI, {}));
            await new Promise((open) => held.addEventListener("open", open));
        }"""
    )
    accepted = await page.evaluate(
        "() => { let n = 0; while (held.send(new ArrayBuffer(3200)) && n < 1e4) n += 1; return n; }"
    )
    assert accepted == 1024 * 1024 // MESSAGE

    await until(lambda: len(gateway.audio) == accepted)
    await gateway.answer(1)
    await page.wait_for_function("held.send(new ArrayBuffer(3200))")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NotAllowedError", "was not allowed to use the microphone"),
        ("NotFoundError", "There is no microphone"),
        ("NotReadableError", "in use by another program"),
        ("OverconstrainedError", "does not work: strange"),
    ],
)
async def test_missing_microphone_is_explained(page, gateway, name: str, words: str) -> None:
    await page.evaluate(
        """(name) => {
            const refuse = async () => { throw new DOMException("strange", name); };
            navigator.mediaDevices.getUserMedia = refuse;
        }""",
        name,
    )
    await start(page)

    await expect(page.get_by_role("alert")).to_contain_text(words)
    await expect(page.get_by_role("button", name="Start speaking")).to_be_enabled()
    assert gateway.queries == []


async def test_microphone_that_is_unplugged_is_said(page, gateway, until) -> None:
    await page.evaluate(
        """() => {
            const devices = navigator.mediaDevices;
            const real = devices.getUserMedia.bind(devices);
            devices.getUserMedia = async (wishes) => (window.heard = await real(wishes));
        }"""
    )
    await start(page)
    await until(lambda: len(gateway.audio) >= 2)
    await page.evaluate("heard.getTracks()[0].dispatchEvent(new Event('ended'))")

    await expect(page.get_by_role("alert")).to_contain_text("The microphone went away")
    await until(lambda: gateway.commands == ["finalize"])


async def test_address_without_a_microphone_says_so(page, gateway) -> None:
    await page.goto(f"http://elsewhere.test:{gateway.port}/")
    await page.locator("summary").click()

    await expect(page.get_by_role("button", name="Start speaking")).to_be_disabled()
    await expect(page.locator("#microphone-hint")).to_contain_text(
        f"http://localhost:{gateway.port}/"
    )
    await page.locator("#connect").click()
    await expect(page.locator("#state")).to_have_text("Connected, session s1")
