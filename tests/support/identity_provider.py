"""An identity provider on this machine, whose tokens a gateway trusts."""

from __future__ import annotations

import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from scripta_gateway.access.caller import Caller
from scripta_gateway.access.jwt import ProviderTokens, Rules
from scripta_gateway.access.keyfile import KeyFile
from scripta_gateway.access.keyring import Keyring
from scripta_gateway.access.provider import Provider
from scripta_gateway.settings import GatewaySettings

FIRST, SECOND = (rsa.generate_private_key(65537, 2048) for _ in range(2))
CURVE = ec.generate_private_key(ec.SECP256R1())
AUDIENCE = "speech"
DISCOVERY = "/.well-known/openid-configuration"


def jwk(key: Any, kid: str, algorithm: str = "RS256") -> dict[str, Any]:
    said = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**said, "kid": kid, "use": "sig", "alg": algorithm, "key_ops": ["verify"]}


class Place:
    """An identity provider, and who trusts it."""

    def __init__(self) -> None:
        self.address = ""
        self.keys = [jwk(FIRST, "first"), jwk(CURVE, "curve", "ES256")]
        self.away = False
        self.asked = 0
        self.discovery: dict[str, Any] = {}
        self.file = KeyFile()

    def answer(self, path: str, _: object) -> Any:
        if self.away:
            return None
        if path == DISCOVERY:
            found = {"issuer": self.address, "jwks_uri": f"{self.address}/keys"}
            return {**found, **self.discovery}
        self.asked += path == "/keys"
        return {"keys": self.keys} if path == "/keys" else None

    def rules(self, **more: Any) -> Rules:
        settings = {"jwt_issuer": self.address, "jwt_audience": AUDIENCE, **more}
        return GatewaySettings(**settings).jwt_rules()

    def tokens(self, source: str = "", **more: Any) -> ProviderTokens:
        rules = self.rules(**more)
        keys = Provider(self.address, source, rules.algorithms)
        return ProviderTokens(rules, keys, lambda: Keyring(self.file))

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        said = {
            "iss": self.address,
            "aud": AUDIENCE,
            "sub": "ann@example.com",
            "tenant": "acme",
            "scope": "openid scripta:transcribe scripta:usage",
            "iat": now,
            "exp": now + 60,
            **changed,
        }
        return {name: value for name, value in said.items() if value is not None}

    def sign(self, key: Any = FIRST, kid: str | None = "first", **changed: Any) -> str:
        algorithm = "ES256" if key is CURVE else "RS256"
        return jwt.encode(self.claims(**changed), key, algorithm, {"kid": kid} if kid else {})


async def caller_of(tokens: ProviderTokens, token: str) -> Caller:
    caller = await tokens.verify(token, time.time())
    assert caller is not None
    return caller
