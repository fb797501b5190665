"""The shapes of the kinds that others bring to the cluster, as far as the chart uses them.

Written from the public references of KEDA 2, the Prometheus operator, the Gateway API 1.4 and
cert-manager 1; a field that is not named here is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from .rendering import Object

_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 0}
_DURATION = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def _closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def _some(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


_REDIS = {"stream": _TEXT, "streamLength": {"type": "string", "pattern": "^[1-9][0-9]*$"}}
_REDIS_OPTIONS = {
    "databaseIndex": {"type": "string", "pattern": "^[0-9]+$"},
    "enableTLS": {"enum": ["true", "false"]},
}
_TRIGGERS = {
    "cpu": _closed({"value": _TEXT}, containerName=_TEXT),
    "prometheus": _closed(
        {"serverAddress": _TEXT, "query": _TEXT, "threshold": _TEXT},
        ignoreNullValues={"enum": ["true", "false"]},
    ),
    "redis-streams": _closed({"address": _TEXT, **_REDIS}, **_REDIS_OPTIONS),
    "redis-cluster-streams": _closed(
        {"addresses": _TEXT, **_REDIS}, enableTLS=_REDIS_OPTIONS["enableTLS"]
    ),
    "redis-sentinel-streams": _closed(
        {"addresses": _TEXT, "sentinelMaster": _TEXT, **_REDIS}, **_REDIS_OPTIONS
    ),
}
_TRIGGER = {
    "oneOf": [
        _closed(
            {"type": {"const": name}, "metadata": metadata},
            metricType={"enum": ["Utilization", "AverageValue", "Value"]},
            authenticationRef=_closed({"name": _TEXT}),
        )
        for name, metadata in _TRIGGERS.items()
    ]
}
_SPECS = {
    "cert-manager.io/v1 Certificate": _closed(
        {
            "secretName": _TEXT,
            "issuerRef": _closed({"name": _TEXT}, kind=_TEXT, group=_TEXT),
            "dnsNames": _some(_TEXT),
        },
        duration=_DURATION,
        privateKey=_closed(
            {"algorithm": {"enum": ["RSA", "ECDSA", "Ed25519"]}},
            size=_COUNT,
            rotationPolicy={"enum": ["Always", "Never"]},
        ),
    ),
    "gateway.networking.k8s.io/v1 BackendTLSPolicy": _closed(
        {
            "targetRefs": _some(
                _closed({"group": {"const": ""}, "kind": {"const": "Service"}, "name": _TEXT})
            ),
            "validation": {
                "oneOf": [
                    _closed({"hostname": _TEXT, "wellKnownCACertificates": {"const": "System"}}),
                    _closed(
                        {
                            "hostname": _TEXT,
                            "caCertificateRefs": _some(
                                _closed(
                                    {
                                        "group": {"const": ""},
                                        "kind": {"const": "ConfigMap"},
                                        "name": _TEXT,
                                    }
                                )
                            ),
                        }
                    ),
                ]
            },
        },
    ),
    "keda.sh/v1alpha1 ScaledObject": _closed(
        {
            "scaleTargetRef": _closed({"name": _TEXT}),
            "minReplicaCount": _COUNT,
            "maxReplicaCount": {"type": "integer", "minimum": 1},
            "triggers": _some(_TRIGGER),
        },
        pollingInterval={"type": "integer", "minimum": 1},
        cooldownPeriod=_COUNT,
        advanced=_closed(
            {},
            restoreToOriginalReplicaCount={"type": "boolean"},
            horizontalPodAutoscalerConfig=_closed({"behavior": {"type": "object"}}),
        ),
    ),
    "keda.sh/v1alpha1 TriggerAuthentication": _closed(
        {"secretTargetRef": _some(_closed({"parameter": _TEXT, "name": _TEXT, "key": _TEXT}))}
    ),
    "monitoring.coreos.com/v1 PodMonitor": _closed(
        {
            "selector": _closed(
                {},
                matchLabels=_TEXTS,
                matchExpressions=_some(
                    _closed(
                        {
                            "key": _TEXT,
                            "operator": {"enum": ["In", "NotIn"]},
                            "values": _some(_TEXT),
                        }
                    )
                ),
            ),
            "podMetricsEndpoints": _some(
                _closed(
                    {"port": _TEXT, "path": _TEXT, "interval": _DURATION},
                    scheme={"const": "https"},
                    tlsConfig=_closed({"insecureSkipVerify": {"const": True}}),
                )
            ),
        }
    ),
    "monitoring.coreos.com/v1 PrometheusRule": _closed(
        {
            "groups": _some(
                _closed(
                    {
                        "name": _TEXT,
                        "rules": _some(
                            {
                                "oneOf": [
                                    _closed(
                                        {"alert": _TEXT, "expr": _TEXT, "labels": _TEXTS},
                                        annotations=_TEXTS,
                                        keep_firing_for=_DURATION,
                                        **{"for": _DURATION},
                                    ),
                                    _closed({"record": _TEXT, "expr": _TEXT}, labels=_TEXTS),
                                ]
                            }
                        ),
                    },
                    interval=_DURATION,
                )
            )
        }
    ),
    "gateway.networking.k8s.io/v1 HTTPRoute": _closed(
        {
            "parentRefs": _some(
                _closed({"name": _TEXT}, namespace=_TEXT, sectionName=_TEXT, port=_COUNT)
            ),
            "rules": _some(
                _closed(
                    {
                        "matches": _some(
                            _closed(
                                {
                                    "path": _closed(
                                        {
                                            "type": {"enum": ["Exact", "PathPrefix"]},
                                            "value": {"type": "string", "pattern": "^/"},
                                        }
                                    )
                                }
                            )
                        ),
                        "backendRefs": _some(_closed({"name": _TEXT, "port": _COUNT})),
                    },
                    timeouts=_closed({}, request=_DURATION, backendRequest=_DURATION),
                )
            ),
        },
        hostnames=_some(_TEXT),
    ),
}


def is_custom(each: Object) -> bool:
    """Whether an object's kind is one that others bring to the cluster."""
    return f"{each['apiVersion']} {each['kind']}" in _SPECS


def errors(each: Object) -> Iterator[str]:
    """Yields what is wrong with the spec of such an object."""
    spec = Draft202012Validator(_SPECS[f"{each['apiVersion']} {each['kind']}"])
    for error in spec.iter_errors(each["spec"]):
        name = f"{each['kind']} {each['metadata']['name']}"
        yield f"{name}: {error.json_path}: {error.message}"
