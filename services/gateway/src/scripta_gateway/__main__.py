"""Entry point of the gateway: settings from the environment, then serve until told to stop."""

from __future__ import annotations

import secrets
import sys

import uvloop
from pydantic import ValidationError

from scripta_common.garbage import spare_the_loop
from scripta_common.logs import configure_logging
from scripta_common.tracing import Tracing
from scripta_gateway.access.keyfile import BadKeyFile
from scripta_gateway.server import GatewayServer
from scripta_gateway.settings import GatewaySettings


def main() -> None:
    """Runs the gateway."""
    try:
        settings = GatewaySettings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            print(f"scripta-gateway: bad setting {name}: {problem['msg']}", file=sys.stderr)
        sys.exit(2)
    gateway_id = secrets.token_hex(6)
    configure_logging("gateway", gateway_id, settings.log_level, settings.log_format)
    tracing = Tracing.configured(
        "gateway",
        gateway_id,
        settings.otel_exporter_otlp_endpoint,
        settings.otel_exporter_otlp_traces_endpoint,
    )
    try:
        server = GatewayServer(settings, gateway_id, tracing)
    except BadKeyFile as error:
        print(f"scripta-gateway: bad setting KEYS_FILE: {error}", file=sys.stderr)
        sys.exit(2)
    spare_the_loop()
    uvloop.run(server.serve())
    sys.exit(0 if server.served_well else 1)


if __name__ == "__main__":
    main()
