"""kubectl of one context and one namespace."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any

from .commands import CommandFailed, run

Manifest = dict[str, Any]

_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
_FORWARD_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs ``kubectl``.

    Attributes:
        context: Kube context; empty for the current one.
        namespace: Where everything happens.
    """

    context: str
    namespace: str

    def command(self, *arguments: str) -> list[str]:
        """Returns the whole command line."""
        context = ["--context", self.context] if self.context else []
        return ["kubectl", *context, "--namespace", self.namespace, *arguments]

    def run(self, *arguments: str, stdin: str | None = None, seconds: float = 60.0) -> str:
        """Runs a command and returns its output; raises as ``commands.run``."""
        return run(self.command(*arguments), stdin=stdin, seconds=seconds)

    def get(self, *arguments: str) -> Manifest:
        """Returns one object, or a list of them with ``items``."""
        found: Manifest = json.loads(self.run("get", *arguments, "--output", "json"))
        return found

    def find(self, *arguments: str) -> Manifest | None:
        """Returns an object, or ``None`` if there is none."""
        found = self.run("get", *arguments, "--output", "json", "--ignore-not-found")
        return json.loads(found) if found.strip() else None

    def names(self, kinds: Sequence[str], selector: str = "") -> frozenset[str]:
        """Returns objects as ``kind/name``, without those of kinds that the cluster lacks."""
        select = ["--selector", selector] if selector else []
        listing = [*select, "--output", "name", "--ignore-not-found"]
        try:
            found = self.run("get", ",".join(kinds), *listing)
        except CommandFailed:
            found = "".join(self._names_of(kind, listing) for kind in kinds)
        return frozenset(found.split())

    def kinds(self) -> list[str]:
        """Returns all kinds of objects that namespaces hold, without mere records of them."""
        try:
            output = self.run("api-resources", "--namespaced", "--verbs=list", "--output=name")
        except CommandFailed as error:
            # If one aggregated API does not answer it fails, and tells the others all the same.
            output = error.output
        return [
            kind
            for kind in output.split()
            if not kind.startswith("events") and not kind.endswith(".metrics.k8s.io")
        ]

    def create(self, *manifests: Manifest) -> None:
        """Creates objects."""
        everything = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.run("create", "--filename", "-", stdin=json.dumps(everything))

    def delete(self, *arguments: str, seconds: float = 120.0) -> None:
        """Deletes objects, if they are there, and waits until they are gone."""
        self.run("delete", *arguments, "--ignore-not-found", "--wait=true", seconds=seconds)

    def python(self, pod: str, program: str, *, container: str = "") -> str:
        """Runs a Python program in a pod and returns what it prints."""
        chosen = ["--container", container] if container else []
        return self.run("exec", pod, *chosen, "--", "python", "-c", program)

    @contextmanager
    def forward(self, target: str, port: int) -> Iterator[str]:
        """Leads a local port to a pod or a Service; yields its ``host:port``.

        The tunnel ends with the pod that it leads to.

        Raises:
            CommandFailed: There is no tunnel in time.
        """
        command = self.command("port-forward", "--address", "127.0.0.1", target, f":{port}")
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said: Queue[str] = Queue()
        reader = threading.Thread(target=_pass_on, args=(process, said), daemon=True)
        reader.start()
        try:
            yield f"127.0.0.1:{_forwarded_port(command, said)}"
        finally:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=5)
            reader.join(timeout=5)

    def _names_of(self, kind: str, listing: Sequence[str]) -> str:
        try:
            return self.run("get", kind, *listing)
        except CommandFailed:
            return ""


def _pass_on(process: subprocess.Popen[str], said: Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        said.put(line)
    said.put("")


def _forwarded_port(command: Sequence[str], said: Queue[str]) -> int:
    output = ""
    while True:
        try:
            line = said.get(timeout=_FORWARD_SECONDS)
        except Empty:
            raise CommandFailed(command, "does not say its port", output) from None
        if found := _FORWARDING.search(line):
            return int(found[1])
        if not line:
            raise CommandFailed(command, "ended", output)
        output += line
