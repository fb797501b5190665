"""Looks for known vulnerabilities of the locked packages: ``audit.py LOCK… [-- OPTION…]``.

pip-audit asks the database of osv.dev about every pinned version, as this machine's Python would
install it; options after ``--`` go to it. Ends with 1 if a vulnerability is known, and with 2 if
a lock can not be read. Where the database can not be reached nothing is known: that is said, and
the end is 0, so that a build without a network does not fail.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

AUDITOR = Path(sys.prefix, "bin/pip-audit")
_UNREACHED = re.compile(r"(?m)^[\w.]+\.(?:\w*(?:Connection|Service|Proxy|SSL)Error|\w*Timeout)\b.*")
_SECONDS = 900


def main(arguments: Sequence[str]) -> int:
    """Prints what is known of the locks; returns the exit code."""
    locks, options = _split(arguments)
    done = _asked(locks, options)
    if not done.stdout.strip():
        return _without_an_answer(done.stderr)
    packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    unknown = [each for each in packages if "skip_reason" in each]
    faults = sorted({line for each in packages for line in _faults(each, locks)})
    for line in [*(f"Not audited: {each['skip_reason']}" for each in unknown), *faults]:
        print(line)
    print(
        f"{len(packages) - len(unknown)} packages of {len(locks)} locks; "
        f"known vulnerabilities: {len(faults) or 'none'}."
    )
    return 1 if faults else 0


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    given = list(arguments)
    at = given.index("--") if "--" in given else len(given)
    return given[:at], given[at + 1 :]


def _asked(locks: Sequence[str], options: Sequence[str]) -> subprocess.CompletedProcess[str]:
    # The locks are complete and have hashes, so pip has nothing to resolve.
    return subprocess.run(
        [
            *(AUDITOR, "--vulnerability-service", "osv", "--disable-pip", "--require-hashes"),
            *("--format", "json", "--desc", "off", "--progress-spinner", "off"),
            *(part for lock in locks for part in ("--requirement", lock)),
            *options,
        ],
        capture_output=True, text=True, timeout=_SECONDS, check=False,
    )  # fmt: skip


def _without_an_answer(said: str) -> int:
    why = _UNREACHED.findall(said)
    if why:
        print("Nothing was audited: the database of vulnerabilities can not be reached.")
        print(f"  {why[-1]}")
        return 0
    print(said.strip(), file=sys.stderr)
    return 2


def _faults(package: dict[str, Any], locks: Sequence[str]) -> Iterator[str]:
    pin = f"{package['name']}=={package['version']}"
    where = [lock for lock in locks if re.search(rf"(?m)^{re.escape(pin)}\b", _text(lock))]
    for fault in package.get("vulns", ()):
        names = " ".join([fault["id"], *fault["aliases"]])
        fixed = ", ".join(fault["fix_versions"]) or "no version yet"
        yield f"{pin}: {names}; mended in {fixed}; in {', '.join(where)}"


def _text(lock: str) -> str:
    return Path(lock).read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
