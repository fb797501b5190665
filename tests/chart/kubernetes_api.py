"""As much of Kubernetes' API as Helm asks for when a template looks for a Secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from json_server import serve_json

_SECRETS = {"name": "secrets", "namespaced": True, "kind": "Secret", "verbs": ["get"]}
_DISCOVERY: dict[str, Any] = {
    "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [_SECRETS]},
}


@contextmanager
def serve_secrets(namespace: str, secrets: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Serves Secrets on loopback; yields the server's address.

    Args:
        namespace: Where they are.
        secrets: The encoded data of each, by its name.
    """
    answers = _DISCOVERY | {
        f"/api/v1/namespaces/{namespace}/secrets/{name}": {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "data": dict(data),
        }
        for name, data in secrets.items()
    }

    with serve_json(lambda path, _: answers.get(path)) as address:
        yield address
