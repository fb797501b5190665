"""Settings of the gateway, read from the environment and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from scripta_gateway.access.browsers import parse_hosts
from scripta_gateway.access.jwt_settings import JwtSettings
from scripta_gateway.access.origins import check_origins
from scripta_gateway.access.proxies import TrustedProxies
from scripta_gateway.outbound.targets import Allowlist

HOSTS_PATTERN: Final = r"^([^\s,]+(,[^\s,]+)*)?$"


class GatewaySettings(JwtSettings):
    """What can be set on a gateway; the names are those of the environment, in lower case."""

    app_host: str = Field(
        "0.0.0.0",
        description="Address to listen on, or several with commas; :: alone is every one, of IPv6 "
        "and of IPv4",
    )
    app_port: int = Field(8000, ge=1, le=65535, description="Port to listen on")
    vosk_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port for clients of Vosk's server, which have no keys, so that everybody who "
        "reaches the port may speak; the path /vosk of APP_PORT is served with it. 0: neither is",
    )
    wyoming_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port for clients of Wyoming's protocol, such as Home Assistant, which have no "
        "keys, so that everybody who reaches the port may speak. 0: none",
    )
    admin_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port of /metrics, /config and whatever else is for those who run it, with the "
        "probes; APP_PORT serves none of it then but the probes. 0: APP_PORT serves all",
    )
    tls_cert_file: str = Field(
        "",
        description="Certificate of the gateway, with those between it and its root, PEM: APP_PORT "
        "and VOSK_PORT speak TLS then, and nothing else. Read again when it changes",
    )
    tls_key_file: str = Field(
        "",
        validate_default=True,
        description="Key of TLS_CERT_FILE, PEM, without a password. A pair that does not fit is "
        "refused, and the former stays",
    )
    tls_client_ca_file: str = Field(
        "",
        description="Certificates of those who sign the certificates of clients, PEM. Without it "
        "clients need none",
    )
    tls_client_auth: Literal["required", "optional"] = Field(
        "required",
        description="With TLS_CLIENT_CA_FILE: whether clients without a certificate are refused",
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses and networks of proxies, with commas between, whose X-Forwarded-For "
        "is believed: read from the right, as far as they are listed. Without it the client is the "
        "other end of the socket",
    )
    keys_file: str = Field(
        "",
        description="File of the keys that callers have to show, YAML or JSON, as docs/access.md "
        "has it; read again when it changes. Empty: callers need no key",
    )
    allowed_origins: str = Field(
        "self",
        description="Origins of the web pages that may call from a browser, with commas between: "
        "https://app.example.com, https://*.example.com, http://localhost:*, null, or * for all; "
        "self is the host that the page calls. Clients that are no browsers are not asked",
    )
    allowed_hosts: str = Field(
        "",
        description="Names of hosts by which clients may call, with commas between, such as "
        "speech.example.com, *.example.com, or * for all; addresses and localhost always may. "
        "Without it all may, but clients on this machine only those that nobody can register",
    )
    max_audio_size: int = Field(
        1_048_576, ge=1, description="Largest binary message in bytes; a larger one is refused"
    )
    max_upload_bytes: int = Field(
        2_147_483_648,
        ge=1_048_576,
        description="Largest body in bytes of a request that brings a recording; nothing of it is "
        "held beyond what is being transcribed",
    )
    max_sessions: int = Field(
        500, ge=1, description="Sessions one gateway holds; beyond, clients are refused with 503"
    )
    live_wait_seconds: float = Field(
        3,
        ge=0,
        le=60,
        description="Time within which a live session has to be served, or it is refused with "
        "503; 0 admits it to a free slot only",
    )
    max_waiting: int = Field(
        32,
        ge=0,
        description="Uploads of a pool that may wait for a slot; beyond, new ones are refused "
        "with 503",
    )
    upload_wait_seconds: float = Field(
        300, gt=0, description="How long an upload waits for a slot before it is refused"
    )
    model_names: str = Field(
        "",
        pattern=r"^([^\s,=]+=[^\s,=]+(,[^\s,=]+=[^\s,=]+)*)?$",
        description="Models that clients of other vendors name, each with the one that it is here: "
        "nova-3=moonshine,whisper-1=whisper. A vendor's name that is not listed is whatever serves",
    )
    fetch_hosts: str = Field(
        "",
        pattern=HOSTS_PATTERN,
        description="Hosts that recordings may be fetched from, with commas: `audio.example`, "
        "`*.example`, `*` (every public one), and a port if it is another: `audio.example:8443`. "
        "What is not on the public internet needs its address or network as well: `10.0.0.0/8`. "
        "Empty: none",
    )
    callback_hosts: str = Field(
        "",
        pattern=HOSTS_PATTERN,
        description="Hosts that results may be sent to where a client asks for a callback; as "
        "FETCH_HOSTS. Empty: none",
    )
    outbound_proxy: str = Field(
        "",
        repr=False,
        pattern=r"^(https?://\S+)?$",
        description="Proxy for both, as `http://proxy:3128`. It resolves the names of hosts, so "
        "that which addresses they may have is for it to say. Empty: none, whatever HTTPS_PROXY "
        "says",
    )
    max_decoders: int = Field(
        0,
        ge=0,
        description="Compressed streams that are open at the same time, each a process of 5 MB; "
        "beyond, they are refused. 0: as many as MAX_SESSIONS, or as the container's memory holds",
    )
    idle_flush_seconds: float = Field(
        1.0,
        gt=0,
        description="Silence on the wire after which what a client uploaded is finalized, and what "
        "a live one said if it had stopped speaking; no shorter than between two of its messages",
    )
    live_flush_seconds: float = Field(
        6.0,
        gt=0,
        description="How far live audio may fall behind real time, beyond its longest message, "
        "until what was said is finalized in any case: networks stall for seconds",
    )
    idle_timeout_seconds: float = Field(
        300, gt=0, description="A connection without any message for so long is closed with 1001"
    )
    first_audio_seconds: float = Field(
        60,
        gt=0,
        description="A connection that has sent no audio yet and says nothing for so long is "
        "closed with 1001; one that sends signs of life, after IDLE_TIMEOUT_SECONDS",
    )
    resume_seconds: float = Field(
        30,
        ge=0,
        le=90,
        description="How long a session waits for a client that knows how to come back",
    )
    backlog_seconds: float = Field(
        60,
        ge=35,
        description="Audio a session may be ahead of its transcript; beyond, the client waits",
    )
    stall_seconds: float = Field(
        120, gt=0, description="A full backlog that does not move for so long ends the session"
    )
    broker_patience_seconds: float = Field(
        30,
        gt=0,
        description="How long a session outlives a broker that does not answer; at most "
        "SESSION_TTL_SECONDS and STALL_SECONDS",
    )
    drain_spread_seconds: float = Field(
        2,
        ge=0,
        validate_default=True,
        description="Time over which a stopping gateway spreads its goodbyes, so that clients do "
        "not all come back at once; less than DRAIN_SECONDS",
    )

    tenant_metrics: int = Field(
        0,
        ge=0,
        le=1000,
        description="How many tenants get a label of their own in the metrics; all others share "
        "one; 0 for no metrics by tenant",
    )

    def last_words_seconds(self) -> float:
        """Returns how long the last words of a call may take when the gateway is told to stop.

        Goodbyes are spread over the drain, and all of them have to fit into it.
        """
        return max(1.0, self.drain_seconds - self.drain_spread_seconds - 1.0)

    def own_models(self) -> dict[str, str]:
        """Returns the own name of a model by the name that clients use, as it is set."""
        pairs = self.model_names.split(",") if self.model_names else ()
        return dict(pair.split("=", 1) for pair in pairs)

    @field_validator("tls_key_file", "tls_client_ca_file")
    @classmethod
    def _belongs_to_a_certificate(cls, path: str, info: ValidationInfo) -> str:
        certificate = info.data.get("tls_cert_file")
        if info.field_name == "tls_key_file" and certificate and not path:
            raise ValueError("TLS_CERT_FILE needs its key; set TLS_KEY_FILE")
        if path and not certificate:
            raise ValueError("it belongs to TLS_CERT_FILE, which is not set")
        return path

    @field_validator("trusted_proxies", "allowed_origins", "allowed_hosts")
    @classmethod
    def _is_a_list(cls, text: str, info: ValidationInfo) -> str:
        checks: dict[str | None, Callable[[str], object]] = {
            "trusted_proxies": TrustedProxies.parse,
            "allowed_origins": check_origins,
            "allowed_hosts": parse_hosts,
        }
        checks[info.field_name](text)
        return text

    @field_validator("fetch_hosts", "callback_hosts")
    @classmethod
    def _names_hosts(cls, hosts: str, info: ValidationInfo) -> str:
        Allowlist.parse(str(info.field_name).upper(), hosts)
        return hosts

    @field_validator("broker_patience_seconds")
    @classmethod
    def _ends_before_what_it_waits_for(cls, patience: float, info: ValidationInfo) -> float:
        for name, why in (
            ("session_ttl_seconds", "the broker forgets a session after that"),
            ("stall_seconds", "a session that waits for room ends after that"),
        ):
            limit = info.data.get(name)  # missing if it is bad itself
            if limit is not None and patience > limit:
                setting = name.upper()
                raise ValueError(
                    f"{patience:g} is more than {setting}, which is {limit:g}: {why}, broker or "
                    f"not; raise {setting} as well"
                )
        return patience

    @field_validator("drain_spread_seconds")
    @classmethod
    def _fits_into_the_drain(cls, spread: float, info: ValidationInfo) -> float:
        drain = info.data.get("drain_seconds")  # missing if it is bad itself
        if drain is not None and spread >= drain:
            raise ValueError(f"{spread:g} has to be less than DRAIN_SECONDS, which is {drain:g}")
        return spread
