"""``scripta usage``: a table for people, CSV and JSON lines for programs, and clear errors."""

from __future__ import annotations

import csv
import http.server
import io
import json
import threading
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

import pytest

from scripta_client.cli import main
from scripta_client.errors import InvalidUrl
from scripta_client.usage.arguments import Form
from scripta_client.usage.asking import usage_url
from scripta_client.usage.rows import Row, formatted, rows_of

pytestmark = pytest.mark.asgi

ROW = {
    "start": "2026-11-29T03:00:00Z",
    "key": "web",
    "model": "tiny-en",
    "audio_seconds": 3725.5,
    "sessions": 12,
    "finals": 3,
}
OWN = {"tenant": "acme", "rows": [ROW, ROW | {"key": "phone", "audio_seconds": 0.04}]}


class Gateway:
    """What a gateway answers, and what it was asked."""

    def __init__(self, url):
        self.url = url
        self.status, self.body, self.headers = 200, json.dumps(OWN), {}
        self.asked = []


@pytest.fixture
def gateway():
    with serving() as gateway:
        yield gateway


@contextmanager
def serving():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            gateway.asked.append((self.path, self.headers.get("Authorization")))
            body = gateway.body.encode()
            self.send_response(gateway.status)
            for name, value in {"Content-Length": len(body), **gateway.headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    gateway = Gateway(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def usage(gateway, monkeypatch, capsys):
    """Runs the command; returns its exit code, what it prints and what it complains of."""
    monkeypatch.setenv("SCRIPTA_URL", gateway.url.replace("http", "ws") + "/ws")
    monkeypatch.delenv("SCRIPTA_KEY", raising=False)

    def run(*arguments):
        code = main(["usage", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_table_has_lengths_that_people_read_and_the_sum(usage):
    code, out, err = usage("--table")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "START (UTC)    TENANT  KEY    MODEL        AUDIO  SESSIONS  FINALS",
        "2026-11-29 03  acme    web    tiny-en  1:02:05.5        12       3",
        "2026-11-29 03  acme    phone  tiny-en  0:00:00.0        12       3",
        "total                                  1:02:05.5        24       6",
    ]


def test_csv_and_json_lines_have_the_same_exact_numbers(usage):
    _, out, _ = usage("--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["audio_seconds"] for row in rows] == ["3725.5", "0.04"]
    _, out, _ = usage("--jsonl")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [{name: str(value) for name, value in line.items()} for line in lines] == rows
    assert lines[0] == {"tenant": "acme", **ROW}


def test_what_is_no_terminal_gets_json_lines(usage):
    _, out, _ = usage()
    assert [json.loads(line)["key"] for line in out.splitlines()] == ["web", "phone"]


def test_what_is_asked_reaches_the_gateway_and_the_key_goes_in_a_header(
    usage, gateway, monkeypatch
):
    monkeypatch.setenv("SCRIPTA_KEY", "from-the-environment")
    usage("--from", "2026-11-29T01:00:00+01:00", "--to", "2026-12-01", "--by", "hour")
    ((path, shown),) = gateway.asked
    assert (urlsplit(path).path, shown) == ("/v1/usage", "Bearer from-the-environment")
    assert dict(parse_qsl(urlsplit(path).query)) == {
        "from": "2026-11-29T01:00:00+01:00",
        "to": "2026-12-01",
        "by": "hour",
    }
    usage("--key", "said")
    assert gateway.asked[-1][1] == "Bearer said"


def test_operator_asks_for_all_or_one_and_shows_no_key(usage, gateway, monkeypatch):
    monkeypatch.setenv("SCRIPTA_KEY", "secret")
    gateway.body = json.dumps({"rows": [ROW | {"tenant": "beta"}]})
    _, out, _ = usage("--all", "--tenant", "beta", "--csv")
    assert out.splitlines()[1].startswith("2026-11-29T03:00:00Z,beta,web,")
    assert gateway.asked == [("/usage?by=day&tenant=beta", None)]


def test_nothing_is_said_to_be_nothing(usage, gateway):
    gateway.body = json.dumps({"tenant": "acme", "rows": []})
    assert usage("--table")[1] == "nothing was used\n"
    assert usage("--jsonl")[1] == ""


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, '{"status":"error","error":"by has to be"}', "refused: by has to be (HTTP 400)"),
        (
            401,
            '{"status":"error","error":"A key is needed"}',
            "refused: A key is needed (HTTP 401)",
        ),
        (404, "not JSON", "refused: Not Found (HTTP 404)"),
        (200, "<html>", "is not a gateway of Scripta"),
        (200, '{"rows":[{}]}', "is not a gateway of Scripta"),
        (200, "[]", "is not a gateway of Scripta"),
    ],
)
def test_refusals_and_strangers_are_one_line_and_status_3(usage, gateway, status, body, said):
    gateway.status, gateway.body = status, body
    code, out, err = usage()
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert said in err


def test_key_goes_nowhere_else(usage, gateway):
    """Guards a key against a gateway, or what poses as one, that sends its callers on."""
    with serving() as other:
        gateway.status, gateway.headers = 302, {"Location": other.url}
        code, _, err = usage("--key", "secret")
        assert (code, other.asked) == (3, [])
        assert "secret" not in err


def test_nobody_there_is_status_3(usage):
    code, _, err = usage("--url", "http://127.0.0.1:1")
    assert code == 3
    assert "cannot connect to 127.0.0.1:1" in err


def test_tenant_without_all_makes_no_sense(usage, capsys):
    with pytest.raises(SystemExit) as ended:
        usage("--tenant", "acme")
    assert ended.value.code == 2
    assert "--tenant needs --all" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "everybody", "expected"),
    [
        ("ws://host:8000/ws", False, "http://host:8000/v1/usage?by=day"),
        ("wss://host/speech/ws", False, "https://host/speech/v1/usage?by=day"),
        ("https://host/", False, "https://host/v1/usage?by=day"),
        ("host:9000", True, "http://host:9000/usage?by=day"),
    ],
)
def test_address_is_that_of_sessions_or_its_base(url, everybody, expected):
    assert usage_url(url, everybody=everybody, query={"by": "day"}) == expected


def test_address_of_something_else_is_refused():
    with pytest.raises(InvalidUrl):
        usage_url("ftp://host", everybody=False, query={})


def test_names_out_of_tokens_do_not_steer_a_terminal():
    (row,) = rows_of({"tenant": "a\x1b[2J", "rows": [ROW | {"key": "k\nx"}]})
    table = formatted([row], Form.TABLE)
    assert "\x1b" not in table
    assert "k?x" in table
    assert "k\\nx" in formatted([Row(*("s", "t", "k\nx", "m"), 1.0, 1, 1)], Form.JSONL)
