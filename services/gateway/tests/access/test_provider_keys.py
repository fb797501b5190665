"""Keys that an identity provider lists: which of them a token may be signed with."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from scripta_gateway.access.provider_keys import ALGORITHMS, BadKeys, ProviderKeys

pytestmark = pytest.mark.unit

RSA = rsa.generate_private_key(65537, 2048)
PRIVATE: dict[str, Any] = {
    "RS256": RSA,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def entry(algorithm: str, **more: Any) -> dict[str, Any]:
    public = PRIVATE[algorithm].public_key()
    said: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(public, as_dict=True)
    return {name: value for name, value in said.items() if name != "key_ops"} | more


def parsed(*entries: Any, algorithms: frozenset[str] = ALGORITHMS) -> ProviderKeys:
    return ProviderKeys.parse(json.dumps({"keys": entries}).encode(), algorithms)


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_key_is_found_by_its_id_and_for_its_algorithms(algorithm: str) -> None:
    keys = parsed(*(entry(each, kid=each) for each in PRIVATE))
    found = keys.find(algorithm, algorithm)
    assert found is not None
    token = jwt.encode({}, PRIVATE[algorithm], algorithm)
    assert jwt.decode(token, found, [algorithm]) == {}
    for other in PRIVATE.keys() - {algorithm}:
        assert keys.find(algorithm, other) is None


@pytest.mark.parametrize(
    "more",
    [{"use": "enc"}, {"alg": "RS512"}, {"kty": "oct"}, {"n": "AQAB"}, {"n": 1}, {"e": None}],
)
def test_key_for_something_else_is_not_used(more: dict[str, Any]) -> None:
    keys = parsed(entry("RS256", kid="a", **more), entry("ES256", kid="b"))
    assert keys.find("a", "RS256") is None
    assert keys.find("b", "ES256") is not None


def test_secret_that_is_listed_signs_nothing() -> None:
    with pytest.raises(BadKeys):
        parsed({"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"})


def test_key_without_an_id_is_the_only_one_of_its_algorithm() -> None:
    assert parsed(entry("RS256")).find(None, "RS256") is not None
    two = parsed(entry("RS256", kid="a"), entry("RS256", kid="b"))
    assert two.find(None, "RS256") is None
    assert parsed(entry("RS256")).find("a", "RS256") is None


def test_only_algorithms_that_are_allowed_are_there() -> None:
    keys = parsed(entry("RS256", kid="a"), algorithms=frozenset({"RS256"}))
    assert keys.find("a", "PS256") is None


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b'{"keys": [1, {}]}', b"[" * 9999],
)
def test_what_is_no_list_of_keys_is_refused(data: bytes) -> None:
    with pytest.raises(BadKeys):
        ProviderKeys.parse(data, ALGORITHMS)


def test_list_without_end_is_refused() -> None:
    with pytest.raises(BadKeys):
        parsed(*[entry("EdDSA", kid=str(number)) for number in range(101)])
