"""Settings of an identity provider whose tokens callers may show."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from scripta_common.settings import CommonSettings
from scripta_gateway.access.jwt import Rules
from scripta_gateway.access.provider import Provider
from scripta_gateway.access.provider_keys import ALGORITHMS


class JwtSettings(CommonSettings):
    """What can be set; the names are those of the environment, in lower case."""

    jwt_issuer: str = Field(
        "",
        description="Identity provider whose tokens callers may show: the iss of the tokens, such "
        "as https://id.example.com. Empty: none",
    )
    jwt_audience: str = Field(
        "",
        validate_default=True,
        description="The aud that such a token has to have, or several with commas between; "
        "needed with JWT_ISSUER",
    )
    jwt_jwks: str = Field(
        "",
        validate_default=True,
        description="URL or file of the provider's keys (JWKS). Empty: the jwks_uri of "
        "JWT_ISSUER/.well-known/openid-configuration",
    )
    jwt_algorithms: str = Field(
        "RS256,PS256,ES256,EdDSA",
        description=f"What tokens may be signed by, with commas between: "
        f"{', '.join(sorted(ALGORITHMS))}",
    )
    jwt_leeway_seconds: float = Field(
        30, ge=0, le=300, description="How far the clocks of provider and gateway may differ"
    )
    jwt_tenant_claim: str = Field(
        "tenant",
        min_length=1,
        description="Claim that names the tenant; dots lead into claims: org.name",
    )
    jwt_scope_claim: str = Field(
        "scope",
        description="Claim with the scopes, as words or as a list. Empty: every token may "
        "transcribe, and nothing else",
    )
    jwt_scope_prefix: str = Field(
        "scripta:",
        description="What the scopes begin with in that claim: scripta:transcribe, scripta:usage",
    )
    jwt_models_claim: str = Field(
        "", description="Claim with the models that a token is for, if it is not for all"
    )
    jwt_key_claim: str = Field(
        "sub",
        min_length=1,
        description="Claim that tells callers apart, in logs and usage, where its digest stands: "
        "sub is a person or a program, azp often the application",
    )

    def jwt_rules(self) -> Rules:
        """Returns what is asked of tokens."""
        return Rules(
            issuer=self.jwt_issuer,
            audience=_listed(self.jwt_audience),
            algorithms=frozenset(_listed(self.jwt_algorithms)),
            leeway=self.jwt_leeway_seconds,
            tenant=self.jwt_tenant_claim,
            scope=self.jwt_scope_claim,
            prefix=self.jwt_scope_prefix,
            models=self.jwt_models_claim,
            subject=self.jwt_key_claim,
        )

    def jwt_provider(self) -> Provider:
        """Returns the provider."""
        algorithms = frozenset(_listed(self.jwt_algorithms))
        return Provider(self.jwt_issuer, self.jwt_jwks, algorithms)

    @field_validator("jwt_audience")
    @classmethod
    def _is_for_somebody(cls, audience: str, info: ValidationInfo) -> str:
        if info.data.get("jwt_issuer") and not _listed(audience):
            raise ValueError(
                "it has to be set with JWT_ISSUER: without it, tokens that the provider has made "
                "for other services would be good here, too"
            )
        return audience

    @field_validator("jwt_jwks")
    @classmethod
    def _is_found(cls, source: str, info: ValidationInfo) -> str:
        issuer = info.data.get("jwt_issuer", "")
        if issuer and not source and not issuer.startswith(("https://", "http://")):
            raise ValueError("it has to be set, since JWT_ISSUER is no address to ask for keys")
        return source

    @field_validator("jwt_algorithms")
    @classmethod
    def _are_safe(cls, algorithms: str) -> str:
        listed = _listed(algorithms)
        if not listed or not ALGORITHMS.issuperset(listed):
            raise ValueError(
                f"has to be one or more of {', '.join(sorted(ALGORITHMS))}, with commas between"
            )
        return algorithms


def _listed(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())
