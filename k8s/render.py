"""Renders the chart into the plain manifests of k8s/manifests, for those without Helm.

The chart stays the one source: these files are never edited by hand. What only Helm reads goes
(its labels, its tests), every object gets its namespace, and the comments stay. Secrets are made by
whoever applies them (k8s/README.md), for what is in a file is no secret.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import helm_python

ROOT = Path(__file__).resolve().parents[1]
NAMESPACE = "scripta"
FLAVOURS: dict[str, dict[str, Any]] = {
    "embedded-broker": {
        "broker": {"embedded": {"existingSecret": {"name": "scripta-broker-password"}}}
    },
    "external-broker": {
        "broker": {
            "embedded": {"enabled": False},
            "external": {"existingSecret": {"name": "scripta-broker"}},
        }
    },
}
"""Folders of k8s/manifests, each with the values that it is the chart for."""

_IMAGES = ["scripta-gateway", "scripta-transcriber"]
_HEADER = "# Made from charts/scripta by `make manifests`; a change belongs there.\n"
_NAMESPACE = f"""\
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    # Nothing here asks for more than the strictest of Kubernetes' standards allows.
    pod-security.kubernetes.io/enforce: restricted
"""
_ORDER = [
    "ServiceAccount",
    "NetworkPolicy",
    "ConfigMap",
    "Service",
    "StatefulSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
]


def files(flavour: str) -> dict[str, str]:
    """Returns the files of a flavour's folder: name to text, the same for the same chart."""
    return {"scripta.yaml": _manifests(flavour), "kustomization.yaml": _kustomization()}


def _manifests(flavour: str) -> str:
    chart = helm_python.Chart.load(ROOT / "charts/scripta")
    rendered = chart.render(FLAVOURS[flavour], name="scripta", namespace=NAMESPACE, is_install=True)
    documents = [
        _without_helm(document)
        for path in sorted(rendered)
        if path.endswith(".yaml")
        for document in re.split(r"(?m)^---\n", rendered[path])
        if re.search(r"(?m)^kind: ", document) and "helm.sh/hook" not in document
    ]
    documents.sort(key=lambda document: _ORDER.index(_kind(document)))
    return _HEADER + "---\n".join([_NAMESPACE, *documents])


def _without_helm(document: str) -> str:
    """Returns an object as it is for a cluster that knows no Helm."""
    text = re.sub(r"(?m)^ *(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n", "", document)
    text = re.sub(r"(?m)^(metadata:\n  name: .*)$", rf"\1\n  namespace: {NAMESPACE}", text, count=1)
    return text.strip("\n") + "\n"


def _kind(document: str) -> str:
    found = re.search(r"(?m)^kind: (\w+)$", document)
    assert found
    return found[1]


def _kustomization() -> str:
    version = helm_python.Chart.load(ROOT / "charts/scripta").metadata["appVersion"]
    images = "".join(f'  - name: {image}\n    newTag: "{version}"\n' for image in _IMAGES)
    return f"""\
# kubectl apply -k of this folder; in a copy of it, `kustomize edit set image` names your images.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {NAMESPACE}
resources:
  - scripta.yaml
images:
{images}"""


def main() -> None:
    """Writes all flavours."""
    for flavour in FLAVOURS:
        folder = ROOT / "k8s/manifests" / flavour
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files(flavour).items():
            (folder / name).write_text(text)


if __name__ == "__main__":
    main()
