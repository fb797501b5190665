"""Where models come from: folders, packages, archives, mirrors, proxies, buckets."""

from __future__ import annotations

import http.server
import io
import json
import ssl
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from scripta_models.catalogue import Archive, Entry, File, Source, read_catalogue
from scripta_models.command import main
from scripta_models.errors import NotFound, Refused, Unpinned, Unreachable, WrongContent, WrongUsage
from scripta_models.wanted import Asked, wanted
from scripta_models.web import Web

from .conftest import COMMIT, Fetching, Server, hidden, model, sha256

pytestmark = pytest.mark.asgi

MODEL, TOKENS = b"model" * 1000, b"a 1\n"
SUMS = [f"model.bin={sha256(MODEL)}", f"tokens.txt={sha256(TOKENS)}"]


def entry(*sources: Source, **changes: object) -> Entry:
    files = (
        File(path="model.bin", sha256=sha256(MODEL), size=len(MODEL)),
        File(path="tokens.txt", sha256=sha256(TOKENS), size=len(TOKENS)),
    )
    known = {"title": "A model", "engine": "whisper", "licence": "MIT", "languages": ("en",)}
    return Entry(**({"name": "m", "sources": sources, "files": files} | known | changes))


def packed(names: dict[str, bytes], form: str = "bz2") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=f"w:{form}") as tar:
        for name, content in names.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_folder_of_this_machine_is_copied(fetching: Fetching, tmp_path: Path, scheme: str) -> None:
    (tmp_path / "disk/sub").mkdir(parents=True)
    (tmp_path / "disk/sub/model.bin").write_bytes(MODEL)
    sums = [f"sub/model.bin={sha256(MODEL)}"]
    folder = fetching(wanted(Asked("m", f"{scheme}{tmp_path}/disk", sums), None))
    assert (folder / "sub/model.bin").read_bytes() == MODEL


def test_wrong_file_in_a_folder_is_not_copied(fetching: Fetching, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"another")
    with pytest.raises(WrongContent, match="found sha256"):
        fetching(wanted(Asked("m", str(tmp_path), SUMS[:1]), None))
    assert not (fetching.folder / "m").exists()
    with pytest.raises(NotFound, match=r"nothing/model\.bin"):
        fetching(wanted(Asked("m", str(tmp_path / "nothing"), SUMS[:1]), None))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that carries a model in two parts, and must not be imported."""
    folder = tmp_path / "site/carrier_of_models"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "data/part1").write_bytes(MODEL[:3000])
    (folder / "data/part2").write_bytes(MODEL[3000:])
    (folder / "data/tokens.txt").write_bytes(TOKENS)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))


CARRIED = Source(
    uri="package:carrier_of_models/data",
    packages=("carrier-of-models==1.0",),
    parts={"model.bin": ("part1", "package:carrier_of_models/data/part2")},
)


@pytest.mark.usefixtures("package")
def test_parts_in_packages_are_put_together(fetching: Fetching, server: Server) -> None:
    folder = fetching(wanted(Asked("m"), entry(CARRIED, Source(uri=f"{server.url}/m"))))
    assert (folder / "model.bin").read_bytes() == MODEL
    assert "carrier_of_models" not in sys.modules
    assert server.seen == []


@pytest.mark.usefixtures("package")
def test_part_of_a_joined_file_is_gone_on_with(fetching: Fetching) -> None:
    partial = fetching.folder / ".m.partial"
    partial.mkdir(parents=True)
    (partial / "model.bin.part").write_bytes(MODEL[:4000])
    folder = fetching(wanted(Asked("m"), entry(CARRIED)))
    assert (folder / "model.bin").read_bytes() == MODEL


def test_without_the_package_the_next_source_is_asked(fetching: Fetching, server: Server) -> None:
    server.files |= {"/m/model.bin": MODEL, "/m/tokens.txt": TOKENS}
    fetching(wanted(Asked("m"), entry(CARRIED, Source(uri=f"{server.url}/m"))))
    assert len(server.seen) == 2


def test_without_package_and_other_source_pip_is_named(fetching: Fetching) -> None:
    with pytest.raises(WrongUsage, match=r"pip install carrier-of-models==1\.0"):
        fetching(wanted(Asked("m"), entry(CARRIED)))


@pytest.mark.parametrize("form", ["bz2", "gz", "xz"])
def test_archive_is_unpacked_and_each_file_held(
    fetching: Fetching, server: Server, form: str
) -> None:
    data = packed({"top/model.bin": MODEL, "top/tokens.txt": TOKENS, "top/0.wav": b"x"}, form)
    server.files |= {f"/m.tar.{form}": data}
    archive = Archive(sha256=sha256(data), size=len(data), root="top")
    source = Source(uri=f"{server.url}/m.tar.{form}", archive=archive)
    folder = fetching(wanted(Asked("m"), entry(source)))
    assert (folder / "model.bin").read_bytes() == MODEL
    assert sorted(path.name for path in folder.iterdir()) == [
        "SHA256SUMS",
        "model.bin",
        "tokens.txt",
    ]
    assert hidden(fetching.folder) == []


def test_archive_of_ones_own_is_taken_whole_and_not_fetched_again(
    fetching: Fetching, server: Server
) -> None:
    data = packed({"./top/model.bin": MODEL, "./top/sub/tokens.txt": TOKENS})
    server.files |= {"/mine.tar.bz2": data}
    asked = Asked("", f"{server.url}/mine.tar.bz2", [sha256(data)])
    folder = fetching(wanted(asked, None))
    assert folder.name == "mine"
    assert (folder / "sub/tokens.txt").read_bytes() == TOKENS
    server.seen.clear()
    fetching(wanted(asked, None))
    assert server.seen == []
    other = packed({"top/model.bin": TOKENS})
    server.files["/mine.tar.bz2"] = other
    fetching(wanted(replace(asked, sha256=[sha256(other)]), None))
    assert (folder / "model.bin").read_bytes() == TOKENS


def test_archive_without_a_checksum_needs_trust_and_then_is_held(
    fetching: Fetching, server: Server
) -> None:
    server.files |= {"/mine.tar": packed({"top/model.bin": MODEL}, "gz")}
    asked = Asked("mine", f"{server.url}/mine.tar")
    with pytest.raises(Unpinned, match=r"of the archive: give it with --sha256"):
        fetching(wanted(asked, None))
    folder = fetching(wanted(replace(asked, trusted=True), None))
    assert sha256(server.files["/mine.tar"]) in (folder / "SHA256SUMS").read_text()
    server.seen.clear()
    fetching(wanted(asked, None))
    assert server.seen == []
    (folder / "model.bin").unlink()
    fetching(wanted(asked, None))
    assert (folder / "model.bin").read_bytes() == MODEL


def test_archive_leads_nowhere_out_of_its_folder(fetching: Fetching, server: Server) -> None:
    """Guards files beside the model's folder, which a wicked archive would write."""
    data = packed(
        {"top/model.bin": MODEL, "../evil": b"x", "/tmp/evil": b"x", "top/../../evil": b"x"}
    )
    server.files |= {"/mine.tar": data}
    folder = fetching(wanted(Asked("mine", f"{server.url}/mine.tar", [sha256(data)]), None))
    assert not list(folder.parent.parent.rglob("evil*"))


def test_what_is_no_archive_is_said(fetching: Fetching, server: Server) -> None:
    server.files |= {"/mine.tar": b"no archive"}
    asked = Asked("mine", f"{server.url}/mine.tar", [sha256(b"no archive")])
    with pytest.raises(WrongUsage, match="no archive that can be unpacked"):
        fetching(wanted(asked, None))


def test_card_tells_the_engine_what_the_catalogue_knows(fetching: Fetching, server: Server) -> None:
    server.files |= {"/m/model.bin": MODEL, "/m/tokens.txt": TOKENS}
    known = entry(Source(uri=f"{server.url}/m"), engine="sherpa", kind="transducer")
    folder = fetching(wanted(Asked("m"), known))
    card = json.loads((folder / "scripta.json").read_text())
    assert card == {"kind": "transducer", "languages": ["en"]}


def test_mirror_is_asked_for_everything(fetching: Fetching, server: Server) -> None:
    server.files |= {
        f"/models/acme/m/resolve/{COMMIT}/model.bin": MODEL,
        f"/models/acme/m/resolve/{COMMIT}/tokens.txt": TOKENS,
    }
    fetching.settings = replace(
        fetching.settings, mirror=f"{server.url}/models/", mirror_token="shown", token="hidden"
    )
    fetching(wanted(Asked("m"), entry(Source(uri=f"hf://acme/m@{COMMIT}"))))
    assert {seen.headers["Authorization"] for seen in server.seen} == {"Bearer shown"}


def test_mirror_may_be_a_folder(fetching: Fetching, tmp_path: Path) -> None:
    """A machine without a network, and a disk that somebody brings."""
    files = tmp_path / f"hub/acme/m/resolve/{COMMIT}"
    files.mkdir(parents=True)
    (files / "model.bin").write_bytes(MODEL)
    (files / "tokens.txt").write_bytes(TOKENS)
    fetching.settings = replace(fetching.settings, mirror=str(tmp_path / "hub"))
    folder = fetching(wanted(Asked("m"), entry(Source(uri=f"hf://acme/m@{COMMIT}"))))
    assert (folder / "model.bin").read_bytes() == MODEL


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_that_wants_a_login_is_told_at_once(
    fetching: Fetching, server: Server, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """Through a proxy, https asks for a tunnel first, and http for the file itself."""
    monkeypatch.setenv(f"{scheme}_proxy", server.url)
    server.acts.append(lambda handler, _: handler.send_error(407))
    with pytest.raises(Refused, match=r"proxy wants a login \(407\).*user:password"):
        fetching(wanted(Asked("m", f"{scheme}://models.example/m", SUMS[:1]), None))
    assert fetching.waits == []


def test_proxy_of_the_environment_is_gone_through(
    fetching: Fetching, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server stands in for the proxy: of a proxy the whole URL is asked for."""
    url = "http://models.example/m/model.bin"
    server.files |= {url: MODEL}
    monkeypatch.setenv("HTTP_PROXY", server.url)
    fetching(wanted(Asked("m", "http://models.example/m", SUMS[:1]), None))
    assert [seen.path for seen in server.seen] == [url]


def test_hosts_without_proxy_are_reached_directly(
    fetching: Fetching, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert fetching(model(server)).is_dir()


def test_file_in_a_bucket_is_asked_for_with_a_signature(
    fetching: Fetching, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("obstore", reason="obstore is not installed: make test installs it")
    server.files |= {"/models/m/model.bin": MODEL, "/models/m/tokens.txt": TOKENS}
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    fetching(wanted(Asked("m", "s3://models/m", SUMS), None))
    first = server.seen[0].path
    assert first.startswith("/models/m/model.bin?X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    assert "AKIAEXAMPLE" in first
    server.files.clear()
    fetching.folder = fetching.folder.parent / "other"
    with pytest.raises(NotFound) as missing:
        fetching(wanted(Asked("m", "s3://models/m", SUMS), None))
    assert "X-Amz" not in str(missing.value)


def test_bucket_without_credentials_says_how_to_give_them(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("obstore", reason="obstore is not installed: make test installs it")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    # The service that gives machines their roles is not there either.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    with pytest.raises(Refused, match="AWS_ACCESS_KEY_ID"):
        fetching(wanted(Asked("m", "s3://models/m", SUMS), None))


@pytest.fixture
def behind_tls(server: Server) -> Iterator[tuple[str, trustme.CA]]:
    """The address of the files behind TLS, and who has signed its certificate."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(MODEL)))
            self.end_headers()
            self.wfile.write(MODEL)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    web.handle_error = lambda *_: None
    threading.Thread(target=web.serve_forever, args=(0.05,), daemon=True).start()
    yield f"https://127.0.0.1:{web.server_port}/m", authority
    web.shutdown()
    web.server_close()


def test_authority_of_ones_own_is_named_in_the_environment(
    fetching: Fetching,
    behind_tls: tuple[str, trustme.CA],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, authority = behind_tls
    wish = wanted(Asked("m", url, SUMS[:1]), None)
    with pytest.raises(Unreachable, match=r"certificate .* is not trusted.*SSL_CERT_FILE"):
        fetching(wish)
    assert fetching.waits == []
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert fetching(wish).is_dir()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hub.example/a/b", True),
        ("https://hub.example.evil/a/b", False),
        ("http://hub.example/a/b", False),
        ("https://other.example/a", False),
    ],
)
def test_token_goes_to_the_hub_and_never_in_clear_text(
    fetching: Fetching, url: str, shown: bool
) -> None:
    hub = url[: url.index("/a")] if shown or url.startswith("http:") else "https://hub.example"
    web = Web(replace(fetching.settings, hub=hub, token="secret"))
    assert bool(web._credentials(url)) is shown
    web.close()


def test_command_fetches_from_the_catalogue_and_pins(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files |= {"/m/model.bin": MODEL, "/m/tokens.txt": TOKENS}
    known = tmp_path / "catalogue.json"
    models = [entry(Source(uri=f"{server.url}/m")).model_dump(mode="json")]
    known.write_text(json.dumps({"models": models}))
    to = ("--to", str(tmp_path / "models"))
    assert main(["--catalogue", str(known), "fetch", "m", *to]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/models/m\n"
    assert main(["--catalogue", str(known), "show", "m", *to]) == 0
    assert f"here        {tmp_path}/models/m\n" in capsys.readouterr().out
    assert main(["pin", "m", *to]) == 0
    pinned = capsys.readouterr().out
    assert pinned == f"{sha256(MODEL)}  model.bin\n{sha256(TOKENS)}  tokens.txt\n"
    assert main(["pin", "other", *to]) == 2
    assert "fetch the model first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fetch"], "which model? Known are moonshine-tiny-en"),
        (["fetch", "no-such"], "there is no model 'no-such' in the catalogue"),
        (["show", "no-such"], "there is no model 'no-such' in the catalogue"),
        (["fetch", "whisper-base", "--manifest", "/no/such"], "/no/such can not be read"),
        (["--catalogue", "/no/such", "list"], "/no/such can not be read"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert words in said.err


def test_list_is_for_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert main(["list", "--json"]) == 0
    names = [each["name"] for each in json.loads(capsys.readouterr().out)["models"]]
    assert [line.split()[0] for line in table[1:]] == names == read_catalogue().names
