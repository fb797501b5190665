"""Entry point of the transcriber: settings from the environment, then serve until told to stop."""

from __future__ import annotations

import secrets
import sys

import uvloop
from pydantic import ValidationError

from scripta_common.garbage import spare_the_loop
from scripta_common.logs import configure_logging
from scripta_common.tracing import FLUSH_SECONDS, Tracing
from scripta_transcriber.engines.base import EngineError
from scripta_transcriber.service import TranscriberService
from scripta_transcriber.settings import TranscriberSettings


def main() -> None:
    """Runs the transcriber."""
    try:
        settings = TranscriberSettings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            print(f"scripta-transcriber: bad setting {name}: {problem['msg']}", file=sys.stderr)
        sys.exit(2)
    transcriber_id = secrets.token_hex(6)
    configure_logging("transcriber", transcriber_id, settings.log_level, settings.log_format)
    tracing = Tracing.configured(
        "transcriber",
        transcriber_id,
        settings.otel_exporter_otlp_endpoint,
        settings.otel_exporter_otlp_traces_endpoint,
    )

    async def serve() -> None:
        await TranscriberService(settings, transcriber_id, tracing).run()

    spare_the_loop()
    try:
        uvloop.run(serve())
    except EngineError as error:
        print(f"scripta-transcriber: {error}", file=sys.stderr)
        sys.exit(3)
    finally:
        tracing.close(FLUSH_SECONDS)


if __name__ == "__main__":
    main()
