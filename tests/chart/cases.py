"""The values that the chart is tried with: its `ci` files, and choices put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations, product
from typing import Any

from .rendering import CHART, Values, merged, read

CI_FILES = sorted((CHART / "ci").glob("*-values.yaml"))

_SECRET = {"name": "broker-login", "key": "password"}
_KEDA = {"prometheusAddress": "http://prometheus.monitoring.svc:9090"}


def _external(url: str, **more: object) -> dict[str, Any]:
    return {"broker": {"embedded": {"enabled": False}, "external": {"url": url, **more}}}


def _keda_broker(kind: str, address: str, **more: object) -> dict[str, Any]:
    return {"keda": {"brokerKind": kind, "brokerAddress": address, **more}}


OWN_MODEL = {
    "name": "house.model",
    "engine": "whisper",
    "source": "https://files.example:8443/house",
    "sha256": [f"{name}={'a' * 64}" for name in ("model.bin", "config.json", "tokenizer.json")],
}
"""A model that the catalogue does not have."""

CHOICES: dict[str, dict[str, dict[str, Any]]] = {
    "broker": {
        "embedded": {},
        "embedded with password and volume": {
            "broker": {
                "embedded": {
                    "existingSecret": _SECRET,
                    "persistence": {"enabled": True, "storageClass": "fast"},
                }
            },
            "keda": {"authenticationRef": "broker-login"},
        },
        "one server": merged(
            _external("redis://cache.example:6379/0"),
            _keda_broker("standalone", "cache.example:6379"),
        ),
        "one server with TLS and password": merged(
            _external(
                "rediss://scripta:$(BROKER_PASSWORD)@cache.example:6380/2"
                "?ssl_ca_certs=/etc/scripta/broker-ca/ca.crt",
                passwordSecret=_SECRET,
                caSecret={"name": "broker-ca"},
                ports=[6380],
            ),
            _keda_broker(
                "standalone", "cache.example:6380", brokerTLS=True, authenticationRef="login"
            ),
        ),
        "URL in a Secret": merged(
            {
                "broker": {
                    "embedded": {"enabled": False},
                    "external": {"existingSecret": {"name": "broker", "key": "url"}},
                }
            },
            _keda_broker("standalone", "cache.example:6379"),
        ),
        "Sentinel": merged(
            _external("redis+sentinel://s1:26379,s2:26379/main", ports=[6379, 26379]),
            _keda_broker("sentinel", "s1:26379,s2:26379", sentinelMaster="main"),
        ),
        "Cluster": merged(
            _external("redis+cluster://n1:6379,n2:6379"),
            _keda_broker("cluster", "n1:6379,n2:6379"),
        ),
    },
    "gateway autoscaling": {
        mode: {"gateway": {"autoscaling": {"mode": mode}}}
        for mode in ("none", "cpu", "metric", "keda")
    },
    "transcriber autoscaling": {
        mode: {"transcriber": {"autoscaling": {"mode": mode}}}
        for mode in ("none", "cpu", "metric", "keda")
    },
    "keda source": {
        source: {"keda": {"source": source, **_KEDA}} for source in ("broker", "prometheus")
    },
    "pools": {
        "one": {},
        "two": {
            "pools": {
                "big": {
                    "slots": 2,
                    "threads": 2,
                    "nodeSelector": {"nvidia.com/gpu.present": "true"},
                    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                    "resources": {"limits": {"nvidia.com/gpu": 1}},
                    "runtimeClassName": "nvidia",
                    "pdb": {"enabled": False},
                }
            }
        },
        "another model": {
            "pools": {
                "multilingual": {
                    "engine": "whisper",
                    "model": "small",
                    "image": {"repository": "scripta-transcriber-whisper"},
                    "extraVolumes": [
                        {"name": "models", "persistentVolumeClaim": {"claimName": "models"}}
                    ],
                    "extraVolumeMounts": [
                        {"name": "models", "mountPath": "/models", "readOnly": True}
                    ],
                }
            }
        },
        "named like other things": {"pools": {"1": {}, "true": {}, "gateway": {"engine": "mock"}}},
    },
    "models": {
        "none": {},
        "of the catalogue": {
            "pools": {
                "named": {
                    "models": [{"name": "moonshine-tiny-en"}, {"name": "parakeet-tdt-0.6b-v3"}]
                }
            }
        },
        "of one's own": {
            "transcriber": {
                "modelFetch": {
                    "proxy": "http://proxy.example:3128",
                    "noProxy": ".example",
                    "secretName": "tokens",
                    "caConfigMap": {"name": "house-ca"},
                },
            },
            "pools": {
                "named": {
                    "models": [OWN_MODEL, {"name": "whisper-base"}],
                    "modelVolume": {"claim": {"size": "10Gi", "storageClass": "fast"}},
                }
            },
        },
        "by a mirror": {
            "pools": {
                "named": {
                    "models": [{"name": "whisper-large-v3"}],
                    "device": "cuda",
                    "modelVolume": {"existingClaim": "models"},
                    "modelFetch": {"mirror": "http://mirror.data.svc:8080/models"},
                }
            }
        },
    },
    "service": {
        "ClusterIP": {},
        "NodePort": {"gateway": {"service": {"type": "NodePort", "nodePort": 30080}}},
        "LoadBalancer": {
            "gateway": {
                "service": {
                    "type": "LoadBalancer",
                    "port": 8080,
                    "externalTrafficPolicy": "Local",
                    "loadBalancerClass": "example.com/lb",
                    "loadBalancerSourceRanges": ["10.0.0.0/8"],
                    "appProtocol": "kubernetes.io/ws",
                }
            }
        },
    },
    "callers": {
        "everybody": {},
        "with keys and tokens": {
            "gateway": {
                "access": {
                    "keys": {"secretName": "scripta-keys"},
                    "jwt": {"issuer": "https://id.example", "audience": "speech"},
                }
            }
        },
    },
    "open ports": {
        "none": {},
        "not even the operator's": {"gateway": {"settings": {"adminPort": 0}}},
        "both": {
            "gateway": {
                "settings": {
                    "voskPort": 2700,
                    "wyomingPort": 10300,
                    "fetchHosts": "audio.example,*.example:8443,[fd00::1]:8080",
                    "callbackHosts": "*:9443,10.0.0.0/8",
                },
                "openPorts": {
                    "vosk": {
                        "from": [{"ipBlock": {"cidr": "10.9.0.0/16"}}],
                        "service": {
                            "type": "LoadBalancer",
                            "annotations": {"example.com/internal": "true"},
                            "nodePort": 30270,
                            "externalTrafficPolicy": "Cluster",
                            "loadBalancerClass": "example.com/lb",
                            "loadBalancerSourceRanges": ["10.9.0.0/16"],
                        },
                    }
                },
            }
        },
        "one": {
            "gateway": {
                "settings": {"wyomingPort": 10300},
                "openPorts": {"wyoming": {"service": {"type": "LoadBalancer", "nodePort": 31030}}},
            }
        },
    },
    "front": {
        "none": {},
        "ingress": {"gateway": {"ingress": {"enabled": True, "hosts": ["a.example", "b.example"]}}},
        "ingress with TLS": {
            "gateway": {
                "ingress": {
                    "enabled": True,
                    "className": "nginx",
                    "hosts": ["a.example"],
                    "tls": [{"secretName": "a-tls", "hosts": ["a.example"]}],
                }
            }
        },
        "route": {
            "gateway": {
                "route": {
                    "enabled": True,
                    "parentRefs": [{"name": "public", "namespace": "edge"}],
                    "hostnames": ["a.example"],
                }
            }
        },
    },
    "TLS": {
        "none": {},
        "a Secret": {"gateway": {"tls": {"existingSecret": "speech-tls"}}},
        "cert-manager": {
            "gateway": {
                "tls": {
                    "certManager": {
                        "issuer": "house",
                        "issuerKind": "ClusterIssuer",
                        "duration": "720h",
                    },
                    "clientCA": {"secretName": "clients-ca", "auth": "optional"},
                },
                "route": {"backendTLS": {"caConfigMap": "house-ca"}},
            }
        },
    },
    "monitoring": {
        "annotations": {},
        "none": {"monitoring": {"scrapeAnnotations": False}},
        "operator": {
            "monitoring": {
                "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
                "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
                "dashboards": {"enabled": True},
            }
        },
    },
    "network": {
        "open": {"networkPolicy": {"enabled": False}},
        "policies": {},
        "narrow": {
            "networkPolicy": {
                "gatewayFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
                "metricsFrom": [
                    {
                        "namespaceSelector": {
                            "matchLabels": {"kubernetes.io/metadata.name": "monitoring"}
                        }
                    }
                ],
                "extraEgress": [{"ports": [{"port": 4317, "protocol": "TCP"}]}],
            }
        },
    },
    "extras": {
        "none": {},
        "all": {
            "commonLabels": {"team": "speech"},
            "imagePullSecrets": [{"name": "registry"}],
            "imageRegistry": "registry.example/speech/",
            "gateway": {
                "podAnnotations": {"prometheus.io/scrape": "false", "note": "gateway"},
                "podLabels": {"tier": "front"},
                "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
                "extraVolumes": [{"name": "more", "emptyDir": {"sizeLimit": "1Mi"}}],
                "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
                "priorityClassName": "high",
                "affinity": {"nodeAffinity": {}},
                "nodeSelector": {"kubernetes.io/os": "linux"},
            },
            "transcriber": {
                "image": {"digest": "sha256:" + "0" * 64},
                "podAnnotations": {"note": "transcriber"},
                "podLabels": {"tier": "back"},
                "extraEnv": [{"name": "OMP_NUM_THREADS", "value": "1"}],
                "extraVolumes": [{"name": "model", "persistentVolumeClaim": {"claimName": "m"}}],
                "extraVolumeMounts": [{"name": "model", "mountPath": "/more", "readOnly": True}],
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 2,
                        "topologyKey": "kubernetes.io/hostname",
                        "whenUnsatisfiable": "DoNotSchedule",
                    }
                ],
            },
        },
        "few": {
            "serviceAccount": {"create": False},
            "test": {"enabled": False},
            "gateway": {"pdb": {"enabled": False}},
        },
    },
}


def combined(choice: Mapping[str, str]) -> dict[str, Any]:
    """Returns the values of a choice in each of ``CHOICES``."""
    return merged(*(CHOICES[name][option] for name, option in choice.items()))


@cache
def choices() -> Sequence[Mapping[str, str]]:
    """Returns choices among which any two options of different kinds stand together once."""
    rows = list(_pairwise({name: list(options) for name, options in CHOICES.items()}))
    return tuple(rows)


def ci_values() -> Iterator[tuple[str, Values]]:
    """Yields the name and the values of every ``ci`` file."""
    for path in CI_FILES:
        (values,) = read(path.read_text("utf-8")) or [{}]
        yield path.name.removesuffix("-values.yaml"), values


@cache
def cases() -> dict[str, Values]:
    """Returns all values that the chart is tried with, by a name for the test's report."""
    named = dict(ci_values())
    for row in choices():
        named[", ".join(row.values())] = combined(row)
    return named


def _pairwise(options: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Yields rows that cover every pair; each takes, name by name, what covers most pairs."""
    names = list(options)
    missing = {
        ((a, x), (b, y))
        for a, b in combinations(names, 2)
        for x, y in product(options[a], options[b])
    }
    while missing:
        row = dict(min(missing))
        for name in names:
            if name not in row:
                row[name] = max(options[name], key=lambda x: _covered(row, name, x, missing))
        yield {name: row[name] for name in names}
        missing -= set(combinations([(name, row[name]) for name in names], 2))


def _covered(
    row: Mapping[str, str],
    name: str,
    option: str,
    missing: set[tuple[tuple[str, str], tuple[str, str]]],
) -> int:
    new = (name, option)
    return sum((old, new) in missing or (new, old) in missing for old in row.items())
