from __future__ import annotations

import time

import pytest

from scripta_client.top.reading import read
from scripta_client.top.screen import draw
from scripta_client.top.verdict import judge

pytestmark = pytest.mark.unit

HEALTHY = """\
Scripta   2 gateways, 2 transcribers                        last 10 s   00:16:50
healthy

sessions 43   connections 41   held back 1.0   audio lag  p50 800 ms  max 7.50 s
new 2.4/s   audio 39.6 s/s   messages 400/s   finals 9.0/s            refused  0

latency     count    p50    p95    p99   mean append  queue decode commit  relay
final          80 625 ms 738 ms 748 ms 521 ms 4.0 ms 300 ms 210 ms 6.0 ms 1.0 ms
1st interim    80 250 ms 295 ms 299 ms 261 ms 2.0 ms 150 ms 105 ms 3.0 ms 0.5 ms

pool                                 demand/slots  waiting  leased  transcribers
default        █████████████░░░░░░░         43/64        0      43             2

gateway                  sessions conns  new/s audio s/s  msgs/s lag p50 lag max
10.0.0.1:8000                  21    20    1.2      19.8     200  400 ms  6.50 s
10.0.0.2:8000                  22    21    1.2      19.8     200  800 ms  7.50 s

transcriber                slots   rtf interim finals/s   queue takeovers fenced
10.0.1.1:8001     █████░░░ 21/32  0.04    0.10      4.5   48 ms         0      0
10.0.1.2:8001     █████░░░ 22/32  0.04    0.10      4.5   48 ms         0      0

broker   memory 32 MiB of 256 MiB   commands p95 98 ms   errors 0
"""

BARE = """\
Scripta   1 gateway, 1 transcriber                             last –   00:16:40
healthy

sessions 2   connections –   held back –                 audio lag  p50 –  max –
new –/s   audio – s/s   messages –/s   finals –/s                     refused  –

latency     count    p50    p95    p99   mean append  queue decode commit  relay
final           –      –      –      –      –      –      –      –      –      –
1st interim     –      –      –      –      –      –      –      –      –      –

pool                                 demand/slots  waiting  leased  transcribers
–             no gateway that answers knows the fleet

gateway                  sessions conns  new/s audio s/s  msgs/s lag p50 lag max
gw:8000                         2     –      –         –       –       –       –

transcriber                slots   rtf interim finals/s   queue takeovers fenced
tr:8001                      –/4     –       –        –       –         –      –

broker   memory –   commands p95 –   errors –
"""


@pytest.fixture(autouse=True)
def in_utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def screen(window):
    """Returns the lines that are shown after these frames."""

    def lines(*frames, width=80, height=None):
        view = read(window(*frames))
        return [line.plain for line in draw(view, judge(view), width, height)]

    return lines


def test_healthy_system_as_it_is_drawn(screen, system):
    assert "\n".join(screen(*system)) + "\n" == HEALTHY


def test_what_is_not_known_is_a_dash(screen):
    bare = {"gw:8000": {"scripta_gateway_sessions": 2}, "tr:8001": {"scripta_transcriber_slots": 4}}
    assert "\n".join(screen(bare)) + "\n" == BARE


def test_two_of_each_fit_a_small_terminal(screen, system):
    shown = screen(*system, height=24)
    assert shown == screen(*system)
    assert max(map(len, shown)) <= 80


@pytest.mark.parametrize("height", [24, 30, 50])
def test_large_system_fits_any_height_and_says_how_many_are_not_shown(screen, system, height):
    for frame in system:
        for number in range(30):
            frame[f"10.0.2.{number}:8000"] = dict(frame["10.0.0.1:8000"])
            frame[f"10.0.3.{number}:8001"] = dict(frame["10.0.1.1:8001"])
    shown = screen(*system, height=height)
    assert len(shown) == height
    assert shown[-1].startswith("broker ")
    more = [int(line.split()[1]) for line in shown if line.startswith("… ")]
    rows = [line for line in shown if ":8000 " in line or ":8001 " in line]
    assert sum(more) + len(rows) == 64


def test_processes_that_are_down_come_first(screen, system):
    system[1]["10.0.0.2:8000"] = "no connection"
    shown = screen(*system)
    rows = [line for line in shown if line.startswith("10.0.0.")]
    assert rows[0].split(maxsplit=1) == ["10.0.0.2:8000", "down: no connection"]
    assert shown[1] == "critical  gateway 10.0.0.2:8000 does not answer: no connection"


def test_many_findings_leave_room_for_the_rest(screen, system):
    for number in range(9):
        system[1][f"10.9.9.{number}:80"] = "no connection"
    shown = screen(*system)
    assert [line.split()[0] for line in shown[1:5]] == ["critical"] * 3 + ["and"]
    assert shown[4].split() == ["and", "6", "more"]


def test_wide_terminal_is_used(screen, system):
    shown = screen(*system, width=120)
    assert len(shown[0]) == 120
    assert "loop p95" in "".join(shown)


def test_long_names_keep_their_ends(screen, system):
    name = "scripta-transcriber-7c9f8d6b5c-x2x7k"
    frames = [{**frame, name: frame.pop("10.0.1.1:8001")} for frame in system]
    assert any(line.startswith("…") and "-x2x7k " in line for line in screen(*frames))


def test_time_beyond_the_buckets_is_marked(screen, system, histogram):
    latency = "scripta_gateway_final_latency_seconds"
    for gateway in ("10.0.0.1:8000", "10.0.0.2:8000"):
        system[1][gateway] |= histogram(latency, [45.0] * 10)
    [line] = [line for line in screen(*system) if line.startswith("final ")]
    assert line.split()[2:8] == [">30", "s"] * 3
