"""``scripta models``: what a gateway serves, and what can be fetched."""

from __future__ import annotations

import builtins
import json

import pytest
from json_server import serve_json

from scripta_client.cli import main
from scripta_client.models.served import Served, as_table

pytestmark = pytest.mark.asgi

LISTED = {
    "object": "list",
    "data": [
        {"id": "moonshine", "languages": ["en"], "interims": True, "word_times": True},
        {"id": "whisper-base", "languages": ["de"] * 99, "interims": False, "word_times": True},
        {"id": "mine", "interims": True},
        {"id": "whisper-1", "object": "model"},
    ],
}


@pytest.fixture
def models(capsys, monkeypatch, tmp_path):
    """Runs the command; returns its exit code, what it prints and what it complains of."""
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))

    def run(*arguments):
        code = main(["models", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def gateway():
    with serve_json(lambda path, _: LISTED if path == "/v1/models" else None) as url:
        yield url.replace("http", "ws") + "/ws"


def test_gateway_is_asked_what_each_of_its_models_can_do(models, gateway):
    code, out, err = models("list", "--url", gateway)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "NAME          INTERIMS  WORD TIMES  LANGUAGES",
        "moonshine     yes       yes         en",
        "whisper-base  no        yes         99 languages",
        "mine          yes       not known   any",
        "other names that stand for one of them: whisper-1",
    ]


def test_programs_get_json_lines(models, gateway):
    _, out, _ = models("list", "--url", gateway, "--json")
    first, *_, last = [json.loads(line) for line in out.splitlines()]
    assert first == {
        "name": "moonshine",
        "languages": ["en"],
        "interims": True,
        "word_times": True,
    }
    assert last["name"] == "whisper-1"


@pytest.mark.parametrize("answer", [{"data": [{}]}, [], {"data": [1]}, {"models": []}])
def test_stranger_is_told_from_a_gateway(models, answer):
    with serve_json(lambda *_: answer) as url:
        code, out, err = models("list", "--url", url)
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "is not a gateway of Scripta" in err


def test_nobody_there_is_status_3(models):
    code, _, err = models("list", "--url", "http://127.0.0.1:1")
    assert code == 3
    assert "cannot connect to 127.0.0.1:1" in err


def test_empty_fleet_is_said(capsys):
    assert as_table([]) == "no transcriber has said yet which models it has\n"


def test_names_do_not_steer_a_terminal():
    table = as_table([Served("a\x1b[2J", ("e\nn",), True, True)])
    assert "\x1b" not in table
    assert table.count("\n") == 2


def test_catalogue_is_listed_without_a_gateway(models):
    code, out, _ = models("list")
    assert code == 0
    assert out.startswith("NAME ")
    assert "parakeet-tdt-0.6b-v3" in out


def test_model_is_fetched_and_shown_as_here(models, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "model.bin").write_bytes(b"model")
    named = ("mine", "--source", str(source), "--file", "model.bin", "--trust-on-first-use")
    code, out, _ = models("fetch", *named)
    assert (code, out) == (0, f"{tmp_path / 'mine'}\n")
    code, out, _ = models("pin", "mine")
    assert out.endswith("  model.bin\n")
    (source / "SUMS").write_text(out)
    code, _, _ = models("fetch", "mine", "--source", str(source), "--manifest", f"{source}/SUMS")
    assert code == 0


def test_errors_are_called_by_the_command_that_was_typed(models):
    code, _, err = models("fetch", "nothing")
    assert code == 2
    assert err.startswith("scripta models: there is no model 'nothing' in the catalogue")


def test_without_the_package_a_gateway_can_be_asked_and_else_pip_is_named(
    models, gateway, monkeypatch
):
    """Guards the light client, which has not what fetches models."""
    known = builtins.__import__

    def without(name, *more):
        if name.startswith("scripta_models"):
            raise ModuleNotFoundError(name=name)
        return known(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert models("list", "--url", gateway)[0] == 0
    for arguments in (("list",), ("fetch", "whisper-small", "--to", "x"), ("show", "a", "--json")):
        code, _, err = models(*arguments)
        assert code == 2
        assert "pip install 'scripta-client[models]'" in err
