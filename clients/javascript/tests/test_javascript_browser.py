"""The JavaScript client in Chromium: a page of another origin hears what its microphone hears."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from chromium import chromium
from playwright.async_api import expect

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

WORDS_MS = 60_000
IMPORTS = {
    "scripta-client": "/src/index.js",
    "scripta-client/browser": "/src/browser/index.js",
}
PAGE = """<!doctype html><meta charset="utf-8"><p id="words"></p><p id="refused"></p>
<script type="importmap">{imports}</script>
<script type="module">
  import {{ listen }} from "./example.js";
  import {{ connect }} from "scripta-client";
  const url = "{url}";
  connect(url, {{ model: "nova" }}).catch((error) => {{
    document.querySelector("#refused").textContent = error.message;
  }});
  const show = (event) => {{
    if (event.type === "final") document.querySelector("#words").append(event.text + " ");
  }};
  listen(url, async () => "any-token", show, new AbortController().signal);
</script>
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Keeps the test's output free of requests."""


@pytest.fixture
def site(workspace: Path) -> Iterator[str]:
    """Serves the package, and the page that a test writes beside it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(workspace)))
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    serving.join()
    server.server_close()


def beckett() -> Path:
    """A recording that ships with the engine's model."""
    spec = importlib.util.find_spec("moonshine_voice")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "assets" / "beckett.wav"


async def test_page_of_the_readme_hears_words(
    site: str, workspace: Path, readme_example: Any
) -> None:
    """The page is of another origin, so the gateway has to let it read why it is refused."""
    (workspace / "example.js").write_text(readme_example("page"))
    async with (
        Stack(env={"ALLOWED_ORIGINS": site}) as stack,
        chromium(beckett()) as browser,
    ):
        text = PAGE.format(imports=json.dumps({"imports": IMPORTS}), url=stack.ws_url)
        (workspace / "page.html").write_text(text)
        page = await browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto(f"{site}/page.html")
        await expect(page.locator("#refused")).to_contain_text("nova", timeout=WORDS_MS)
        words = page.locator("#words")
        await expect(words).to_contain_text("ever failed", timeout=WORDS_MS, ignore_case=True)
        assert faults == []
