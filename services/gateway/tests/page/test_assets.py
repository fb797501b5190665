"""The page's files as the routes get them."""

import re
from importlib import resources

import pytest

from scripta_gateway.page import HEADERS, MEDIA_TYPES, read_asset

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("path", MEDIA_TYPES)
def test_every_listed_path_has_content_and_its_media_type(path: str) -> None:
    asset = read_asset(path)

    assert asset is not None
    media_type, body = asset
    assert media_type == MEDIA_TYPES[path]
    assert len(body) > 100


@pytest.mark.parametrize(
    "path",
    ["", "/page/", "/page/none.js", "/page/__init__.py", "/page/../settings.py", "//etc/passwd"],
)
def test_what_is_not_listed_cannot_be_read(path: str) -> None:
    assert read_asset(path) is None


def test_every_file_of_the_page_is_listed() -> None:
    files = {
        entry.name
        for entry in resources.files("scripta_gateway.page").iterdir()
        if entry.is_file() and not entry.name.endswith(".py")
    }

    assert files - {"index.html"} == {p.removeprefix("/page/") for p in MEDIA_TYPES if p != "/"}


def test_page_refers_only_to_its_own_listed_files() -> None:
    referred: set[str] = set()
    for path in MEDIA_TYPES:
        asset = read_asset(path)
        assert asset is not None
        text = asset[1].decode()
        referred |= {f"/{name}" for name in re.findall(r'(?:src|href)="([^"]+)"', text)}
        referred |= {f"/page/{name}" for name in re.findall(r'from "\./([^"]+)"', text)}
        referred |= {f"/page/{name}" for name in re.findall(r'new URL\("([^"]+\.js)"', text)}

    assert referred == set(MEDIA_TYPES) - {"/"}


def test_page_has_nothing_inline_that_its_policy_would_block() -> None:
    asset = read_asset("/")
    assert asset is not None
    html = asset[1].decode()

    assert "'unsafe" not in HEADERS["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)
