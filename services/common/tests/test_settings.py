"""Settings that all services have, and how the broker's URL is shown."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scripta_common.settings import CommonSettings, mask_password

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:secret@host:1/0", "redis://:***@host:1/0"),
        ("rediss://user:secret@host/2", "rediss://user:***@host/2"),
        ("rediss://u:s@host?ssl_ca_certs=/a/b.pem", "rediss://u:***@host?ssl_ca_certs=/a/b.pem"),
        ("valkeys://u:s@host", "valkeys://u:***@host"),
        ("redis://secret@host:1", "redis://***@host:1"),
        ("redis+cluster://u:secret@a:1,[::1]:2", "redis+cluster://u:***@a:1,[::1]:2"),
        (
            "redis+sentinel://u:s@a,b:1/m/3?sentinel%5Fpassword=secret&sentinel_username=v",
            "redis+sentinel://u:***@a,b:1/m/3?sentinel_password=***&sentinel_username=v",
        ),
        (
            "redis+sentinel://a/m?sentinel_password=a%26b=c",
            "redis+sentinel://a/m?sentinel_password=***",
        ),
        ("redis+sentinel://a/m?Sentinel_Password=secret", "redis+sentinel://***"),
        ("redis://:sec/ret@host", "redis://***"),
        ("redis://:sec?ret@host", "redis://***"),
        ("redis://:sec#ret@host", "redis://***"),
        ("redis://user:secret@host/0?password=secret", "redis://***"),
        ("secret", "***"),
        ("redis://:s%40cret@[::1]:6379/0", "redis://:***@[::1]:6379/0"),
        ("redis://:se:c@ret@host:1/0", "redis://:***@host:1/0"),
        ("redis://user:@host:1/0", "redis://***@host:1/0"),
    ],
)
def test_password_is_masked_and_all_else_shown(url: str, shown: str) -> None:
    assert mask_password(url) == shown


@given(
    st.text(alphabet="abcXYZ019-._~%:@!$&'()+,;=/?#[] ", min_size=6),
    st.sampled_from(
        [
            "redis://user:{}@host:6379/0",
            "redis://{}@host:6379/0",
            "rediss://:{}@host",
            "redis+cluster://u:{}@one:1,two",
            "redis+sentinel://u:p@one,two/name?sentinel_password={}",
            "redis+sentinel://u:p@one,two/name?sentinel_username=u&sentinel_password={}",
        ]
    ),
)
def test_no_password_is_ever_shown(password: str, form: str) -> None:
    assert password not in mask_password(form.format(password))
    escaped = quote(password, safe="")
    assert escaped not in mask_password(form.format(escaped))


def test_defaults_serve_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", "LOG_LEVEL", "LOG_FORMAT"):
        monkeypatch.delenv(name, raising=False)
    settings = CommonSettings()
    assert settings.redis_url == "redis://localhost:6379/0"
    assert (settings.log_level, settings.log_format) == ("INFO", "json")


def test_environment_is_read_under_the_documented_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://there:1/2")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("LOG_FORMAT", "human")
    settings = CommonSettings()
    assert settings.redis_url == "redis://there:1/2"
    assert (settings.log_level, settings.log_format) == ("DEBUG", "human")


@pytest.mark.parametrize(
    ("name", "value"), [("LOG_LEVEL", "loud"), ("LOG_FORMAT", "xml"), ("LEASE_SECONDS", "0.1")]
)
def test_bad_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        CommonSettings()
