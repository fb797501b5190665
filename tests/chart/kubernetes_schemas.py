"""What the API server of a Kubernetes version would refuse, unknown fields included."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from kubernetes_validate import utils
from referencing import Registry, Resource

from .rendering import Object

OLDEST = "1.27"
NEWEST = "1.37"


def errors(each: Object, version: str) -> Iterator[str]:
    """Yields what is wrong with an object of a kind that Kubernetes itself has."""
    for error in _validator(version, each["kind"], each["apiVersion"]).iter_errors(each):
        yield f"{each['kind']} {each['metadata']['name']}: {error.json_path}: {error.message}"


@cache
def _registry(folder: str, version: str) -> Registry[Any]:
    text = utils.schema_contents(f"{folder}/_definitions.json", version)
    return Resource.from_contents(text) @ Registry()


@cache
def _validator(version: str, kind: str, api_version: str) -> Draft202012Validator:
    folder = f"kubernetes-json-schema/v{version}.0-local-strict"
    group, _, number = api_version.rpartition("/")
    name = "-".join(filter(None, [kind.lower(), group.partition(".")[0], number]))
    schema = utils.schema_contents(f"{folder}/{name}.json", version)
    return Draft202012Validator(schema, registry=_registry(folder, version))
