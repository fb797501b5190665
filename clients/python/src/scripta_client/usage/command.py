"""Runs ``scripta usage``."""

from __future__ import annotations

import sys

from scripta_client.trust import trusting
from scripta_client.usage.arguments import UsageArguments
from scripta_client.usage.asking import ask, usage_url
from scripta_client.usage.rows import formatted


def run_usage(arguments: UsageArguments) -> None:
    """Prints what was used.

    Raises:
        InvalidUrl: The address is none of a gateway.
        Refused: The gateway answers with an error.
        CannotConnect: Nobody answers.
    """
    url = usage_url(arguments.url, everybody=arguments.everybody, query=arguments.query)
    sys.stdout.write(formatted(ask(url, arguments.key, trusting(arguments.ca)), arguments.form))
