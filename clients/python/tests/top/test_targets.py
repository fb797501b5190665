from __future__ import annotations

import pytest

from scripta_client.errors import InvalidUrl
from scripta_client.top.targets import metrics_url, process_name

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("http://host:8000", "http://host:8000/metrics"),
        ("http://host:8000/", "http://host:8000/metrics"),
        ("http://host:8000/metrics", "http://host:8000/metrics"),
        ("host:8001", "http://host:8001/metrics"),
        ("host", "http://host/metrics"),
        ("ws://host:8000/ws", "http://host:8000/metrics"),
        ("wss://host/speech/ws?language=en", "https://host/speech/metrics"),
        ("http://[::1]:8000", "http://[::1]:8000/metrics"),
        ("https://user:secret@host/speech", "https://user:secret@host/speech/metrics"),
    ],
)
def test_addresses_as_people_write_them(said, meant):
    assert metrics_url(said) == meant


@pytest.mark.parametrize(
    "said", ["", "ftp://host", "http://", "host:0", "host:99999", "http://[::1"]
)
def test_what_is_no_address_is_refused(said):
    with pytest.raises(InvalidUrl, match="is not the address of a service"):
        metrics_url(said)


def test_name_on_the_screen_has_no_password():
    assert process_name("http://127.0.0.1:8000/metrics") == "127.0.0.1:8000"
    assert process_name("https://user:secret@host/speech/metrics") == "host/speech"
