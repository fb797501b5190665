"""What the documentation says that can be checked without running it: settings and links."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from scripta_common.settings import CommonSettings
from scripta_gateway.settings import GatewaySettings
from scripta_local.settings import LocalSettings
from scripta_transcriber.settings import TranscriberSettings

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
SERVICES: dict[str, type[CommonSettings]] = {
    "gateway": GatewaySettings,
    "transcriber": TranscriberSettings,
}
COMPUTED = {
    "THREADS": "number of cores",
    "SLOTS": "measured",
    "REDIS_URL": "an embedded broker",
}
"""Defaults that are no value in the settings, in words."""


def section(heading: str) -> str:
    """Returns the settings' text under a heading, up to the next of any level."""
    found = re.search(rf"(?ms)^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", CONFIGURATION)
    assert found, f"docs/configuration.md has no heading {heading!r}"
    return found[1]


def table(heading: str) -> list[str]:
    """Returns the rows of the table under a heading, without its head."""
    rows = [line for line in section(heading).splitlines() if line.startswith("|")]
    return rows[2:]


def default(name: str, field: FieldInfo) -> str:
    """Returns a setting's default as docs/configuration.md writes it."""
    if field.default is None or field.default_factory is not None:
        return COMPUTED[name]
    value = field.default
    if value == "":
        return "none"
    return f"`{int(value) if isinstance(value, bool) else value}`"


def services_that_read(name: str) -> str:
    readers = [service for service, kind in SERVICES.items() if name in kind.model_fields]
    return "both" if len(readers) == len(SERVICES) else readers[0]


def service_rows() -> Iterator[str]:
    for kind in (CommonSettings, GatewaySettings, TranscriberSettings):
        for name, field in kind.model_fields.items():
            if kind is CommonSettings or name not in CommonSettings.model_fields:
                env = name.upper()
                value = default(env, field)
                meaning = field.description
                yield f"| `{env}` | {value} | {services_that_read(name)} | {meaning} |"


def local_rows(settings: type[BaseSettings] = LocalSettings) -> Iterator[str]:
    for name, field in settings.model_fields.items():
        env = name.upper()
        yield f"| `{env}` | {default(env, field)} | {field.description} |"


def test_configuration_lists_every_setting_of_the_services_and_no_other() -> None:
    """Guards a table that has grown old. The right one is in the message."""
    wanted = list(service_rows())
    assert table("Configuration") == wanted, "the table should be:\n" + "\n".join(wanted)


def test_configuration_lists_every_option_of_make_run_and_no_other() -> None:
    wanted = list(local_rows())
    assert table("Options of `make run`") == wanted, "it should be:\n" + "\n".join(wanted)


def documents() -> list[Path]:
    """Returns every Markdown file of the repository; what tools make lies in hidden folders."""
    found = []
    for folder, inner, names in os.walk(ROOT):
        inner[:] = [name for name in inner if not name.startswith(".")]
        found += [Path(folder, name) for name in names if name.endswith(".md")]
    return found


def prose(text: str) -> str:
    """Returns Markdown without its code."""
    return re.sub(r"(?s)^```.*?^```|`[^`\n]*`", "", text, flags=re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Returns the anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", text))
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def broken_links(document: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists() or (anchor and anchor not in anchors(path.read_text())):
            yield f"{document.relative_to(ROOT)}: {target}"


def test_relative_links_resolve() -> None:
    found = documents()
    assert ROOT / "README.md" in found
    assert [link for document in found for link in broken_links(document)] == []


def test_every_decision_is_in_the_index_and_says_what_holds_it() -> None:
    folder = ROOT / "docs/adr"
    index = (folder / "README.md").read_text()
    decisions = [path for path in sorted(folder.glob("*.md")) if path.name != "README.md"]
    assert decisions
    for number, path in enumerate(decisions, start=1):
        assert re.fullmatch(rf"{number:04}(-[a-z0-9]+)+", path.stem)
        assert f"({path.name})" in index
        headings = re.findall(r"(?m)^## (.+)$", path.read_text())
        assert headings == ["Context", "Options", "Decision", "Consequences", "Confirmation"], path


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_readme_marks_one_example_a_language(language: str) -> None:
    """Guards the marks by which the examples are found and run."""
    found = re.findall(rf"<!-- example: {language} -->\n```{language}\n.+?\n```", README, re.DOTALL)
    assert len(found) == 1
    assert "ws://localhost:8000/ws" in found[0]


def test_architecture_names_every_script_and_every_field_of_a_session() -> None:
    """Guards a key table that the scripts have left behind."""
    text = (ROOT / "docs/architecture.md").read_text()
    scripts = ROOT / "services/common/src/scripta_common/sessionlog/lua"
    state = next(line for line in text.splitlines() if line.startswith("| `{sid}:state`"))
    listed = re.search(r"(?ms)^\| Script \|.*?\n\n", text)
    assert listed
    created = re.search(r"'HSET', KEYS\[1\],(.*?)\)\n", (scripts / "open.lua").read_text(), re.S)
    assert created
    fields = re.findall(r"'(\w+)', ", created[1])
    assert [f for f in fields if f"`{f}`" not in state] == []
    assert [p.stem for p in scripts.glob("*.lua") if f"`{p.stem}`" not in listed[0]] == []
