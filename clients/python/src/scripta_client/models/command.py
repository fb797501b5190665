"""Runs ``scripta models``."""

from __future__ import annotations

import sys
from typing import Final

from scripta_client import asking
from scripta_client.errors import ModelsMissing
from scripta_client.models.arguments import ModelsArguments
from scripta_client.models.served import as_json, as_table, served_of
from scripta_client.top.targets import http_url
from scripta_client.trust import trusting

_PATH: Final = "/v1/models"
_SOCKET: Final = "/ws"


def run_models(arguments: ModelsArguments) -> int:
    """Prints the models of a gateway, or does what is asked with those that can be fetched.

    Returns:
        The exit code.

    Raises:
        InvalidUrl: The address is none of a gateway.
        Refused: The gateway answers with an error.
        CannotConnect: Nobody answers.
        ModelsMissing: The package that fetches models is not installed.
    """
    if not arguments.url:
        return _fetching(arguments)
    url = http_url(arguments.url).removesuffix(_SOCKET) + _PATH
    answer = asking.ask(url, arguments.key, trusting(arguments.ca))
    try:
        models = served_of(answer)
    except (LookupError, TypeError, AttributeError) as error:
        raise asking.not_a_gateway(url) from error
    sys.stdout.write(as_json(models) if arguments.json else as_table(models))
    return 0


def _fetching(arguments: ModelsArguments) -> int:
    try:
        from scripta_models.command import run
    except ImportError as error:
        raise ModelsMissing(error.name or "scripta_models") from error
    return run(arguments.given, "scripta models")
