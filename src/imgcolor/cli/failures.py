"""Report the photos of a command that could not be used."""

import sys
from collections.abc import Sequence

from imgcolor.utils.errors import ImgcolorError

_SHOWN = 20


def raise_failures(failures: Sequence[str], count: int, what: str) -> None:
    """Print the first messages and raise an error, if there are messages.

    Args:
        failures: A message for each photo that could not be used.
        count: Number of all photos.
        what: What could not be done with the photos, such as ``converted``.

    Raises:
        ImgcolorError: If there is a message.
    """
    if not failures:
        return
    for failure in failures[:_SHOWN]:
        print(f"  {failure}", file=sys.stderr)
    more = f" (the first {_SHOWN} above)" if len(failures) > _SHOWN else ""
    raise ImgcolorError(f"{len(failures)} of {count} photos could not be {what}{more}")
