"""The suite's own objects: the client's pods and what they mount, and a few for policies.

All satisfy the restricted Pod Security Standard, which the namespace enforces.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress

from .bundle import client_zip
from .commands import CommandFailed
from .kubectl import Kubectl, Manifest
from .settings import E2ESettings
from .speech import voices

LABEL = "scripta-e2e"
"""On everything of the suite's, so that it can be told from the release."""

CLIENT_CONFIG = "e2e-client"
CLIENT_PATH = "/client/client.zip"
VOICES_PATH = "/voices"
STOP_PATH = "/tmp/stop"

_USER = 10001


def namespace(name: str) -> Manifest:
    """Returns a namespace that lets in only what satisfies the restricted standard."""
    labels = {LABEL: "namespace", "pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def client_config() -> list[Manifest]:
    """Returns what the client's pods mount: the program, and each voice in an object of its own.

    One object may hold a mebibyte.
    """
    parts = {CLIENT_CONFIG: ("client.zip", client_zip())}
    parts |= {voice_config(voice.name): (f"{voice.name}.pcm", voice.pcm) for voice in voices()}
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {LABEL: "client"}},
            "binaryData": {key: base64.b64encode(content).decode()},
        }
        for name, (key, content) in parts.items()
    ]


def voice_config(voice: str) -> str:
    """Returns the name of the object that holds a voice."""
    return f"e2e-voice-{voice}"


def client_pod(name: str, image: tuple[str, str], arguments: Sequence[str]) -> Manifest:
    """Returns a pod that runs the client once.

    Args:
        name: Its name.
        image: The gateway's image and how it is pulled.
        arguments: Of the client.
    """
    pod = python_pod(name, image, [CLIENT_PATH, *arguments], {LABEL: "client"})
    spec = pod["spec"]
    sources = [{"configMap": {"name": voice_config(voice.name)}} for voice in voices()]
    spec["containers"][0]["volumeMounts"] += [
        {"name": "client", "mountPath": "/client", "readOnly": True},
        {"name": "voices", "mountPath": VOICES_PATH, "readOnly": True},
    ]
    spec["volumes"] += [
        {"name": "client", "configMap": {"name": CLIENT_CONFIG}},
        {"name": "voices", "projected": {"sources": sources}},
    ]
    return pod


def python_pod(
    name: str, image: tuple[str, str], command: Sequence[str], labels: Mapping[str, str]
) -> Manifest:
    """Returns a pod that runs Python once, in the gateway's image."""
    reference, pull_policy = image
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": dict(labels)},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "python",
                    "image": reference,
                    "imagePullPolicy": pull_policy,
                    "command": ["python", *command],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "resources": {
                        "requests": {"cpu": "50m", "memory": "64Mi"},
                        "limits": {"memory": "384Mi"},
                    },
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                }
            ],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }


def deny_ingress(name: str, labels: Mapping[str, str]) -> Manifest:
    """Returns a policy that lets nobody reach the pods with these labels."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "labels": {LABEL: "policy"}},
        "spec": {"podSelector": {"matchLabels": dict(labels)}, "policyTypes": ["Ingress"]},
    }


def remove_own_objects(kubectl: Kubectl) -> None:
    """Deletes what the suite has put beside the release."""
    with suppress(CommandFailed):
        kubectl.delete("pods,configmaps,networkpolicies", "--selector", LABEL)


def all_of_them(settings: E2ESettings) -> list[Manifest]:
    """Returns one of each kind of object that the suite makes; to be checked without a cluster."""
    image = ("scripta-gateway:0.1.0", settings.pull_policy)
    return [
        namespace("scripta-e2e-example"),
        *client_config(),
        client_pod("e2e-client", image, ["reach", "10", "open=host:80"]),
        python_pod("e2e-python", image, ["-m", "http.server"], {LABEL: "guarded"}),
        deny_ingress("e2e-deny", {LABEL: "guarded"}),
    ]
