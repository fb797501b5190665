"""Files in S3 and what speaks like it: a URL with a signature, which is then asked for like any.

The address, the region and the credentials are those of the environment (``AWS_…``), of a role of
the pod or of the machine.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from scripta_models.errors import Refused, WrongUsage
from scripta_models.places import Place

_VALID: Final = timedelta(hours=1)
"""For how long a signature holds; each try has one of its own."""


def signed_url(place: Place) -> str:
    """Returns a URL with which anybody can read a file in a bucket for an hour.

    Raises:
        WrongUsage: The library is not installed.
        Refused: There are no credentials.
    """
    try:
        from obstore import sign
        from obstore.exceptions import BaseError
        from obstore.store import S3Store
    except ImportError as error:
        raise WrongUsage(f"{place} needs a library: pip install 'scripta-models[s3]'") from error
    try:
        return sign(S3Store(place.root), "GET", place.path, _VALID)
    except BaseError as error:
        words = str(error).partition("\n")[0]
        raise Refused(
            f"{place} can not be asked for ({words}): set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or give the pod a role"
        ) from error
