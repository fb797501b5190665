"""pipecat's Deepgram service."""

from __future__ import annotations

import argparse

from pipecat.services.deepgram.stt import DeepgramSTTService

from options import query_of, run, web_socket
from pipecat_pipeline import Ears, stream


class Service(DeepgramSTTService):
    """The service as it is; it only says when a finalize was answered, be it without words."""

    def __init__(self, ears: Ears, **settings: object) -> None:
        super().__init__(**settings)
        self._ears = ears

    def confirm_finalize(self) -> None:
        """Is called by the service for each ``from_finalize``."""
        super().confirm_finalize()
        self._ears.answered.set()


async def live(options: argparse.Namespace) -> None:
    """Streams the recording; extra query parameters are settings of the service."""
    settings = DeepgramSTTService.Settings(
        model=options.model or "nova-3-general", interim_results=options.interim
    )
    settings.extra = query_of(options)
    ears = Ears()
    service = Service(
        ears, api_key=options.key, base_url=web_socket(options.url), settings=settings
    )
    await stream(service, ears, options)


run({"live": live})
