"""What the chart sets is what the services read, with the same bounds and the same defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import annotated_types
import pytest
from hypothesis import given
from hypothesis import settings as search
from hypothesis.strategies import from_regex, sampled_from
from pydantic.fields import FieldInfo

from scripta_common.fleet import POOL_PATTERN
from scripta_common.settings import CommonSettings
from scripta_gateway.settings import GatewaySettings
from scripta_transcriber.engines import ENGINES, create_engine
from scripta_transcriber.engines.source import ModelSource
from scripta_transcriber.settings import TranscriberSettings

from .cases import cases
from .environment import SECRETS, entries, environment, service_of, settings
from .rendering import CHART, Pod, Release, Values, default, render, with_value

pytestmark = pytest.mark.chart

EXPANDED = {"BROKER_PASSWORD"}
"""Set for the sake of other variables and read by no service."""

OF_OPENTELEMETRY = {
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_EXPORTER_OTLP_HEADERS",
}
"""Read by the SDK of OpenTelemetry and not by our settings."""

BY_EXTRA_ENV = {
    "app_host": "a pod listens on all its addresses; `::` on a cluster with IPv6 alone",
    "health_host": "as app_host",
    "model_dir": "volumes with models are mounted at /models",
    "outbound_proxy": "its URL may have a password in it: from a Secret",
    "scripta_revision": "the image says it",
    "otel_exporter_otlp_endpoint": "tracing.endpoint; OpenTelemetry's operator sets it too",
    "otel_exporter_otlp_traces_endpoint": "another form of otel_exporter_otlp_endpoint",
}
"""Settings without a value of their own in the chart, and why."""

OTHER_DEFAULTS = {
    "redis_url": "a laptop's broker, and the release's",
    "slots": "a pod has a fixed size, so that autoscalers know what one more brings",
    "admin_port": "a laptop has one port, and a pod one that clients do not reach",
    "threads": "one by default, whatever the size of the node",
}
"""Settings whose default is another in the chart, and why."""

ZERO_IS_OPEN = {"transcriber.slots"}
"""Values of which 0 says that the chart is to find one, which is what the service gets."""

SHARED = {
    "log_level": "logs.level",
    "log_format": "logs.format",
    "lease_seconds": "sessions.leaseSeconds",
    "session_ttl_seconds": "sessions.ttlSeconds",
}
OWN: dict[type[CommonSettings], str] = {
    GatewaySettings: "gateway.settings",
    TranscriberSettings: "transcriber.settings",
}
ELSEWHERE = {
    "engine": "transcriber.engine",
    "model": "transcriber.model",
    "device": "transcriber.device",
    "slots": "transcriber.slots",
    "threads": "transcriber.threads",
}
"""Settings that more than the service depends on, and so stand outside of `settings`."""

TLS = {"tls_cert_file", "tls_key_file", "tls_client_ca_file", "tls_client_auth"}
GIVEN = TLS | {"app_port", "health_port", "keys_file", "pool", "redis_url"}
"""Settings that follow from other values."""

each_case = pytest.mark.parametrize("values", cases().values(), ids=cases())
each_service = pytest.mark.parametrize("service", OWN, ids=["gateway", "transcriber"])


def services(release: Release) -> Iterator[Pod]:
    for pod in release.pods():
        if pod.component == "gateway" or pod.component.startswith("transcriber"):
            yield pod


def path_of(service: type[CommonSettings], name: str) -> str | None:
    """Returns the path of the value that sets a setting, if it has one."""
    if name in GIVEN or name in BY_EXTRA_ENV:
        return None
    if name.startswith("jwt_"):
        return f"gateway.access.jwt.{_camel(name.removeprefix('jwt_'))}"
    return SHARED.get(name) or ELSEWHERE.get(name) or f"{OWN[service]}.{_camel(name)}"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def settable() -> list[tuple[type[CommonSettings], str, str]]:
    found = []
    for service in OWN:
        for name in service.model_fields:
            path = path_of(service, name)
            if path is not None:
                found.append((service, name, path))
    return found


each_setting = pytest.mark.parametrize(
    ("service", "name", "path"), settable(), ids=[path for _, _, path in settable()]
)


@each_case
def test_services_accept_what_they_are_started_with(values: Values) -> None:
    for pod in services(render(values)):
        settings(pod)


@each_case
def test_every_variable_is_read_by_its_service(values: Values) -> None:
    extra = {
        each["name"]
        for part in ("gateway", "transcriber")
        for each in dict(values).get(part, {}).get("extraEnv", [])
    }
    for pod in services(render(values)):
        names = {entry["name"] for entry in entries(pod)}
        known = {name.upper() for name in service_of(pod.component).model_fields}
        assert names - EXPANDED - OF_OPENTELEMETRY - extra <= known


@each_service
def test_every_setting_can_be_set_by_the_chart(service: type[CommonSettings]) -> None:
    component = "gateway" if service is GatewaySettings else "transcriber"
    names = {entry["name"].lower() for entry in entries(render().pod(component))}
    assert names | BY_EXTRA_ENV.keys() >= service.model_fields.keys()


@each_service
def test_setting_without_a_value_can_be_set_as_further_environment(
    service: type[CommonSettings],
) -> None:
    component = "gateway" if service is GatewaySettings else "transcriber"
    for name in BY_EXTRA_ENV.keys() & service.model_fields.keys():
        is_url = name.endswith(("endpoint", "proxy"))
        endpoint = "http://collector:4318" if is_url else "::"
        text = {"model_dir": "/mnt/models"}.get(name, endpoint)
        values = {component: {"extraEnv": [{"name": name.upper(), "value": text}]}}
        assert str(getattr(settings(render(values).pod(component)), name)) == text


def test_expanded_variables_come_before_what_they_are_expanded_in() -> None:
    """Guards a URL with `$(BROKER_PASSWORD)` in it: Kubernetes looks back only."""
    for values in cases().values():
        for pod in services(render(values)):
            assert "$(" not in environment(pod)["REDIS_URL"]


@each_setting
def test_default_is_that_of_the_service(
    service: type[CommonSettings], name: str, path: str
) -> None:
    if name not in OTHER_DEFAULTS:
        assert default(path) == service.model_fields[name].get_default(call_default_factory=True)


@each_setting
def test_value_arrives_in_the_service(service: type[CommonSettings], name: str, path: str) -> None:
    another = _another(schema_of(path), default(path))
    component = "gateway" if service is GatewaySettings else "transcriber"
    base: dict[str, Any] = {}
    if name.startswith("jwt_"):  # each needs the other
        base = {"gateway": {"access": {"jwt": {"issuer": "https://id.example", "audience": "a"}}}}
    if name == "device":
        base = {"transcriber": {"engine": "whisper", "model": "small"}}
    pod = render(with_value(path, another, base)).pod(component)
    assert getattr(settings(pod), name) == another


@each_setting
def test_bounds_are_those_of_the_service(
    service: type[CommonSettings], name: str, path: str
) -> None:
    """Guards pods that crash on a value which the chart has let through, and the reverse."""
    bounds = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    chart = {key: value for key, value in schema_of(path).items() if key in bounds}
    if path in ZERO_IS_OPEN:
        assert chart.pop("minimum") == 0
        chart["minimum"] = 1
    assert chart == _bounds(service.model_fields[name])


@pytest.mark.parametrize("path", ["logs.level", "logs.format"])
def test_words_are_those_of_the_service(path: str) -> None:
    (name,) = [name for name, each in SHARED.items() if each == path]
    assert schema_of(path)["enum"] == list(CommonSettings.model_fields[name].annotation.__args__)  # type: ignore[union-attr]


@pytest.mark.parametrize("engines", [*ENGINES, "moonshine, sherpa", "moonshine,whisper,whisper"])
def test_pod_has_the_slots_that_its_slowest_engine_recommends(engines: str) -> None:
    """Guards a pool of whisper with the slots of moonshine, whose words all come too late."""
    names = engines.replace(" ", "").split(",")
    models = ",".join("m" if name in ("whisper", "sherpa") else "" for name in names)
    pool = {"engine": engines, "model": models, "threads": 3}
    found = settings(render({"pools": {"a": pool}}).pod("transcriber-a"))
    sources = {"whisper": ModelSource("m"), "sherpa": ModelSource("m")}
    each = [create_engine(name, 1, sources.get(name)).capabilities for name in names]
    assert isinstance(found, TranscriberSettings)
    assert found.slots == min(one.slots_per_thread for one in each) * 3


def test_engines_are_those_of_the_service() -> None:
    """Guards a name that renders and then ends every pod, and one that is refused for nothing."""
    pattern = re.compile(schema_of("transcriber.engine")["pattern"])
    assert all(pattern.fullmatch(each) for each in (*ENGINES, ",".join(ENGINES), ""))
    assert set(re.findall(r"[a-z]+", pattern.pattern)) == set(ENGINES)


def test_pool_with_several_models_is_started_with_each_in_its_place() -> None:
    release = render({"transcriber": {"engine": "moonshine,whisper,whisper", "model": ",small,b"}})
    found = settings(release.pod("transcriber"))
    assert isinstance(found, TranscriberSettings)
    assert [(name, source.model) for name, source in found.engines] == [
        ("moonshine", ""),
        ("whisper", "small"),
        ("whisper", "b"),
    ]


def test_traces_are_sent_where_the_values_say_and_with_the_header_out_of_its_secret() -> None:
    tracing = {
        "endpoint": "http://collector:4318",
        "ratio": 0.05,
        "headersSecret": {"name": "token"},
    }
    for pod in services(render({"tracing": tracing})):
        seen = environment(pod)
        assert settings(pod).otel_exporter_otlp_endpoint == tracing["endpoint"]
        assert seen["OTEL_TRACES_SAMPLER"] == "parentbased_traceidratio"
        assert float(seen["OTEL_TRACES_SAMPLER_ARG"]) == tracing["ratio"]
        assert seen["OTEL_EXPORTER_OTLP_HEADERS"] == SECRETS["headers"]


def test_keys_are_read_out_of_the_secret_that_is_named() -> None:
    keys = {"secretName": "scripta-keys", "file": "all.json"}
    pod = render({"gateway": {"access": {"keys": keys}}}).pod("gateway")
    (volume,) = [each for each in pod.spec["volumes"] if each["name"] == "access"]
    (mount,) = [
        each for each in pod.spec["containers"][0]["volumeMounts"] if each["name"] == "access"
    ]
    assert volume["secret"] == {"secretName": "scripta-keys"}
    assert mount["readOnly"]
    assert "subPath" not in mount, "a file that is mounted alone never changes"
    assert environment(pod)["KEYS_FILE"] == f"{mount['mountPath']}/all.json"


def test_nothing_of_opentelemetry_is_set_without_a_collector() -> None:
    for pod in services(render()):
        assert not [name for name in environment(pod) if name.startswith("OTEL_")]


def test_large_numbers_arrive_as_they_are() -> None:
    """Guards against `1e+06`, which Helm makes of a large whole number."""
    values = {
        "gateway": {"settings": {"maxAudioSize": 104857600, "maxSessions": 1000000}},
        "transcriber": {"slots": 1000000, "engine": "whisper", "model": "b", "device": "cuda"},
        "sessions": {"ttlSeconds": 3000000},
    }
    release = render(values)
    gateway = environment(release.pod("gateway"))
    assert (gateway["MAX_AUDIO_SIZE"], gateway["MAX_SESSIONS"]) == ("104857600", "1000000")
    assert gateway["SESSION_TTL_SECONDS"] == "3000000"
    assert environment(release.pod("transcriber"))["SLOTS"] == "1000000"


def test_pool_has_its_defaults_and_what_it_says_itself() -> None:
    values = {
        "transcriber": {"slots": 5, "threads": 2, "extraEnv": [{"name": "A", "value": "1"}]},
        "pools": {"big": {"slots": 3, "settings": {"drainSeconds": 9}, "extraEnv": []}},
    }
    release = render(values)
    default_pool = environment(release.pod("transcriber"))
    big = environment(release.pod("transcriber-big"))
    assert (default_pool["POOL"], default_pool["SLOTS"], default_pool["A"]) == ("default", "5", "1")
    assert (big["POOL"], big["SLOTS"], big["THREADS"]) == ("big", "3", "2")
    assert (big["DRAIN_SECONDS"], big["INTERIM_SECONDS"]) == ("9", "0.5")
    assert "A" not in big


def test_pool_can_switch_off_what_its_defaults_have_on() -> None:
    """Guards a merge that takes false, zero or nothing for not given."""
    values = {
        "pools": {
            "big": {
                "pdb": {"enabled": False},
                "autoscaling": {"mode": "none"},
                "replicas": 0,
                "priorityClassName": "",
            }
        },
        "transcriber": {"priorityClassName": "high", "replicas": 3},
    }
    release = render(values)
    budgets = {each["metadata"]["name"] for each in release.all("PodDisruptionBudget")}
    assert budgets == {"talk-scripta-gateway", "talk-scripta-transcriber"}
    assert release.one("Deployment", "transcriber-big")["spec"]["replicas"] == 0
    assert "priorityClassName" not in release.pod("transcriber-big").spec
    assert release.pod("transcriber").spec["priorityClassName"] == "high"


SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text("utf-8"))


@search(max_examples=200, deadline=None)
@given(name=from_regex(SCHEMA["properties"]["pools"]["propertyNames"]["pattern"], fullmatch=True))
def test_any_name_of_a_pool_that_the_chart_takes_suits_the_service(name: str) -> None:
    assert re.fullmatch(POOL_PATTERN.removesuffix("$"), name)


@search(max_examples=30, deadline=None)
@given(name=sampled_from(["1", "true", "no", "1e3", "0x1", "a", "a-b", "a" * 20, "on", "null"]))
def test_pool_named_like_a_number_stays_a_name(name: str) -> None:
    assert environment(render({"pools": {name: {}}}).pod(f"transcriber-{name}"))["POOL"] == name


def schema_of(path: str) -> dict[str, Any]:
    """Returns the schema of a value."""
    schema = SCHEMA
    for name in path.split("."):
        schema = _resolved(schema["properties"][name])
    return schema


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found: dict[str, Any] = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def _bounds(field: FieldInfo) -> dict[str, float]:
    found: dict[str, Any] = {}
    for constraint in field.metadata:
        match constraint:
            case annotated_types.Ge(ge=bound):
                found["minimum"] = bound
            case annotated_types.Gt(gt=bound):
                found["exclusiveMinimum"] = bound
            case annotated_types.Le(le=bound):
                found["maximum"] = bound
            case annotated_types.Lt(lt=bound):
                found["exclusiveMaximum"] = bound
    return found


def _another(schema: dict[str, Any], value: Any) -> Any:
    """Returns a value that the schema allows and that is not the default."""
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return next(each for each in schema["enum"] if each != value)
    if schema["type"] == "boolean":
        return not value
    if schema["type"] == "string":
        return "mock" if "=" not in schema.get("pattern", "") else "a=b"
    least = schema.get("minimum", 0)
    return value + 1 if value + 1 <= schema.get("maximum", value + 1) else least
