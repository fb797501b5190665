"""Values that can not work are refused before anything is installed, with what to change."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import helm_python
import pytest

from .rendering import CHART, default, merged, render, with_value

pytestmark = pytest.mark.chart


def values(*paths: tuple[str, object]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for path, value in paths:
        made = with_value(path, value, made)
    return made


OWN_BROKER = values(("broker.embedded.enabled", False), ("broker.external.url", "redis://h:6379/0"))
NO_URL = values(("broker.embedded.enabled", False))
KEDA = values(("transcriber.autoscaling.mode", "keda"))
PASSWORD = ("broker.external.passwordSecret.name", "login")
NO_ROLL = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("There are two brokers", values(("broker.external.url", "redis://h:6379/0"))),
    ("There are two brokers", values(("broker.external.existingSecret.name", "s"))),
    ("There is no broker", NO_URL),
    (
        "given twice",
        merged(OWN_BROKER, values(("broker.external.existingSecret.name", "s"))),
    ),
    *(
        ("holds a password", merged(NO_URL, values(("broker.external.url", url))))
        for url in (
            "redis://:secret@h:6379/0",
            "redis://user:s@h:6379/0",
            "rediss+cluster://user:secret@h:6379",
            "redis+sentinel://h:26379/main?sentinel_password=secret",
        )
    ),
    (
        "refers to $(BROKER_PASSWORD)",
        merged(NO_URL, values(("broker.external.url", "redis://:$(BROKER_PASSWORD)@h:6379/0"))),
    ),
    ("passwordSecret is not used: write", merged(OWN_BROKER, values(PASSWORD))),
    (
        "passwordSecret is not used: the URL",
        merged(NO_URL, values(("broker.external.existingSecret.name", "s"), PASSWORD)),
    ),
    (
        "caSecret is not used",
        merged(OWN_BROKER, values(("broker.external.caSecret.name", "ca"))),
    ),
    (
        "jwt.audience has to be set",
        values(("gateway.access.jwt.issuer", "https://id.example")),
    ),
    (
        "jwt.jwks has to be set",
        values(("gateway.access.jwt.issuer", "id"), ("gateway.access.jwt.audience", "speech")),
    ),
    ("the embedded one has no TLS", values(("broker.external.caSecret.name", "ca"))),
    *(
        ("keep the services from port 6380", merged(NO_URL, values(("broker.external.url", url))))
        for url in (
            "redis://h:6380/0",
            "redis://u@h:6380",
            "redis+cluster://h:6379,g:6380",
            "redis://[::1]:6380/0",
        )
    ),
    ("must be less than gateway.settings", values(("gateway.settings.drainSpreadSeconds", 8))),
    ("must be less than sessions", values(("sessions.ttlSeconds", 30))),
    ("must be at most sessions", values(("gateway.settings.brokerPatienceSeconds", 121))),
    ("must be at most sessions", values(("gateway.settings.stallSeconds", 29))),
    ("needs a host", values(("gateway.ingress.enabled", True))),
    ("needs a Gateway", values(("gateway.route.enabled", True))),
    ("does nothing on a ClusterIP", values(("gateway.service.nodePort", 30080))),
    ("which is the gateway's own port", values(("gateway.settings.voskPort", 8000))),
    ("which is the gateway's own port", values(("gateway.settings.adminPort", 8000))),
    (
        "comes from two places",
        values(
            ("gateway.tls.existingSecret", "a"),
            ("gateway.tls.certManager.issuer", "b"),
        ),
    ),
    ("needs TLS in the gateways", values(("gateway.tls.clientCA.secretName", "a"))),
    (
        "probes have no certificate",
        values(
            ("gateway.tls.existingSecret", "a"),
            ("gateway.tls.clientCA.secretName", "b"),
            ("gateway.settings.adminPort", 0),
        ),
    ),
    (
        "test has no certificate",
        values(("gateway.tls.existingSecret", "a"), ("gateway.tls.clientCA.secretName", "b")),
    ),
    ("which is the operator's port", values(("gateway.settings.voskPort", 8001))),
    (
        "which is vosk's port",
        values(("gateway.settings.voskPort", 2700), ("gateway.settings.wyomingPort", 2700)),
    ),
    (
        "openPorts.wyoming.service.nodePort does nothing on a ClusterIP",
        values(
            ("gateway.settings.wyomingPort", 10300),
            ("gateway.openPorts.wyoming.service.nodePort", 31030),
        ),
    ),
    ("above its maxReplicas", values(("gateway.autoscaling.minReplicas", 11))),
    (
        "above its maxReplicas",
        values(
            ("pools.default.autoscaling.maxReplicas", 1), ("transcriber.autoscaling.minReplicas", 2)
        ),
    ),
    ("nothing could ever roll", values(("gateway.strategy", NO_ROLL))),
    ("nothing could ever roll", values(("pools.big.strategy", NO_ROLL))),
    (
        "share of the CPU request",
        values(("transcriber.resources.requests.cpu", None)),
    ),
    (
        "share of the CPU request",
        values(("gateway.autoscaling.mode", "metric"), ("gateway.resources.requests.cpu", None)),
    ),
    *(
        (f"extraEnv sets {name}", values((f"{part}.extraEnv", [{"name": name, "value": "1"}])))
        for part, name in (
            ("gateway", "APP_PORT"),
            ("gateway", "MAX_AUDIO_SIZE"),
            ("transcriber", "SLOTS"),
            ("transcriber", "MODEL"),
            ("transcriber", "DEVICE"),
            ("pools.big", "INTERIM_SECONDS"),
        )
    ),
    (
        "pools.big has not one model for each engine",
        values(("pools.big", {"engine": "moonshine,whisper", "model": "small"})),
    ),
    ("not one model for each engine", values(("transcriber.model", ",small"))),
    *(
        ("which has no model of its own: name one", values(("pools.big", pool)))
        for pool in (
            {"engine": "whisper"},
            {"engine": "sherpa"},
            {"engine": "moonshine,whisper"},
            {"engine": "moonshine,whisper", "model": ", "},
        )
    ),
    *(
        (says, values(("pools.big.models", models)))
        for says, models in (
            ("which the catalogue does not have (it has gigaam-v3", [{"name": "wisper-base"}]),
            ("does not say what runs it", [{"name": "mine", "source": "hf://a/b@c"}]),
            (
                "without a checksum",
                [{"name": "mine", "source": "https://h/m", "engine": "sherpa"}],
            ),
            ("or nearly so", [{"name": "whisper-base"}, {"name": "whisper-base"}]),
            ("none of Scripta's images", [{"name": "whisper-base"}, {"name": "gigaam-v3"}]),
        )
    ),
    *(
        (says, values(("pools.big", {"models": [{"name": "whisper-base"}], **more})))
        for says, more in (
            ("names its models twice", {"engine": "whisper"}),
            ("names its models twice", {"model": "small"}),
            ("models from two places", {"modelImage": "registry.example/models:1"}),
            (
                "several volumes with models",
                {"modelVolume": {"existingClaim": "a", "claim": {"size": "1Gi"}}},
            ),
            (
                "two volumes at /models",
                {"extraVolumeMounts": [{"name": "a", "mountPath": "/models/"}]},
            ),
            ("proxy holds a password", {"modelFetch": {"proxy": "http://me:secret@h:3128"}}),
            ("mirror holds a password", {"modelFetch": {"mirror": "https://me:secret@h/m"}}),
        )
    ),
    (
        "none of Scripta's images has both",
        values(("pools.big", {"engine": "whisper,sherpa", "model": "small,parakeet"})),
    ),
    ("whisper alone runs on a GPU", values(("pools.big.device", "cuda"))),
    (
        "more slots than whisper can serve",
        values(("pools.big", {"engine": "whisper", "model": "small", "slots": 12})),
    ),
    (
        "more slots than moonshine,whisper can serve",
        values(("pools.big", {"engine": "moonshine,whisper", "model": ",small", "slots": 12})),
    ),
    ("set tracing.endpoint", values(("tracing.headersSecret.name", "token"))),
    (
        "extraEnv sets OTEL_TRACES_SAMPLER",
        values(
            ("tracing.endpoint", "http://collector:4318"),
            ("gateway.extraEnv", [{"name": "OTEL_TRACES_SAMPLER", "value": "always_on"}]),
        ),
    ),
    ("needs keda.prometheusAddress", merged(KEDA, values(("keda.source", "prometheus")))),
    ("needs keda.brokerAddress", merged(KEDA, OWN_BROKER)),
    (
        "needs keda.sentinelMaster",
        merged(
            KEDA,
            NO_URL,
            values(
                ("broker.external.existingSecret.name", "s"),
                ("keda.brokerKind", "sentinel"),
                ("keda.brokerAddress", "h:26379"),
            ),
        ),
    ),
    (
        "is not what broker.external.url says",
        merged(
            KEDA,
            OWN_BROKER,
            values(("keda.brokerKind", "cluster"), ("keda.brokerAddress", "h:6379")),
        ),
    ),
    (
        "is not what broker.external.url says",
        merged(
            KEDA,
            OWN_BROKER,
            values(
                ("broker.external.url", "redis+sentinel://h:6379/main"),
                ("keda.brokerAddress", "h:6379"),
            ),
        ),
    ),
    (
        "A Cluster has one database",
        merged(
            KEDA,
            OWN_BROKER,
            values(
                ("broker.external.url", "rediss+cluster://h:6379"),
                ("keda.brokerKind", "cluster"),
                ("keda.brokerAddress", "h:6379"),
                ("keda.brokerDatabase", 1),
            ),
        ),
    ),
    ("embedded broker is one server", merged(KEDA, values(("keda.brokerKind", "cluster")))),
    (
        "can not be scaled to zero from the length",
        merged(KEDA, values(("pools.big.autoscaling.minReplicas", 0))),
    ),
    ("must be at least 1", values(("transcriber.autoscaling.minReplicas", 0))),
    (
        "must be at least 1",
        values(("gateway.autoscaling", {"mode": "keda", "minReplicas": 0})),
    ),
    ("There is no pool named default", values(("pools.default", None))),
]

ACCEPTED = [
    merged(NO_URL, values(("broker.external.url", url), *more))
    for url, more in [
        ("redis://user@h:6379/0", ()),
        ("redis://:$(BROKER_PASSWORD)@h:6379/0", [PASSWORD]),
        ("redis+sentinel://h:6379/main?sentinel_password=$(BROKER_PASSWORD)", [PASSWORD]),
        ("redis://h:6380/0", [("networkPolicy.enabled", False)]),
        ("redis://h/0", ()),
        ("valkey://[::1]:6379/0", ()),
    ]
] + [
    values(("gateway.replicas", 0), ("gateway.autoscaling.mode", "none")),
    values(("keda.source", "prometheus")),
    values(("pools.big.engine", "moonshine,mock")),
    values(("pools.big", {"engine": "whisper", "model": "small", "slots": 8})),
    values(("pools.big.models", [{"name": "whisper-base", "source": "https://h/whisper-base"}])),
    values(("pools.big", {"model": "whisper-base", "modelImage": "registry.example/models:1"})),
    values(("pools.big", {"engine": "whisper", "model": "package:models/small"})),
    values(("pools.big", {"engine": "whisper", "model": "b", "slots": 60, "device": "cuda"})),
    values(
        (
            "pools.big",
            {"engine": "whisper,sherpa", "model": "a,b", "image": {"repository": "own/both"}},
        )
    ),
    values(("gateway.extraEnv", [{"name": "SLOTS_OF_OTHERS", "value": "1"}])),
    values(("pools.big.strategy", {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}})),
]


OF_OLD_CLUSTERS = (
    "pools.big mounts an image with models, which Kubernetes can from 1.35 on, and this cluster is "
    "v{}.0: clear pools.big.modelImage and name the models in pools.big.models"
)


def refusal(given: dict[str, Any]) -> str:
    with pytest.raises(helm_python.HelmError) as refused:
        render(given)
    assert not isinstance(refused.value, helm_python.HelmValuesError), str(refused.value)
    return str(refused.value)


@cache
def refusals() -> tuple[str, ...]:
    """Returns what is said to each of ``REFUSED``."""
    return tuple(refusal(given) for _, given in REFUSED)


def messages() -> list[re.Pattern[str]]:
    """Returns what each `fail` of the templates says, as patterns."""
    found = []
    for path in [*CHART.glob("templates/*.tpl"), *CHART.rglob("templates/**/*.yaml")]:
        text = path.read_text("utf-8")
        said = re.findall(r'\bfail (?:\(printf )?"((?:[^"\\]|\\.)*)"', text)
        assert len(said) == len(re.findall(r"\{\{-? *fail\b", text)), path
        found += [re.compile(re.escape(each).replace("%s", ".*")) for each in said]
    return found


@pytest.mark.parametrize(("says", "given"), REFUSED)
def test_what_can_not_work_is_refused(says: str, given: dict[str, Any]) -> None:
    assert says in refusal(given)


@pytest.mark.parametrize("given", ACCEPTED)
def test_what_is_near_to_it_and_works_is_not(given: dict[str, Any]) -> None:
    render(given)


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_refusal_names_values_that_there_are(number: int) -> None:
    said = refusals()[number].partition(": ")[2]
    paths = re.findall(
        r"\b(?:gateway|transcriber|pools|broker|keda|sessions|networkPolicy|tracing)"
        r"\.[A-Za-z.]*[A-Za-z]",
        said,
    )
    if "pool named" not in said:
        assert paths
    for path in paths:
        default(re.sub(r"^pools\.\w+(?=\.|$)", "transcriber", path))


@pytest.mark.parametrize("message", messages(), ids=lambda each: each.pattern[:40])
def test_every_check_is_tried(message: re.Pattern[str]) -> None:
    tried = (*refusals(), OF_OLD_CLUSTERS)
    assert any(map(message.search, tried))


@pytest.mark.parametrize(("version", "refused"), [("1.34", True), ("1.35", False), ("1.36", False)])
def test_image_with_models_is_refused_where_the_cluster_can_not_mount_it(
    capfd: pytest.CaptureFixture[str], version: str, refused: bool
) -> None:
    """The linter alone takes a version; it writes down what a check says, and goes on."""
    pool = {"model": "whisper-base", "modelImage": "registry.example/models:1"}
    helm_python.lint(CHART, values(("pools.big", pool)), kube_version=f"v{version}.0")
    said = capfd.readouterr().err
    assert (OF_OLD_CLUSTERS.format(version) in said) is refused


def test_there_are_checks() -> None:
    assert len(messages()) >= 25
