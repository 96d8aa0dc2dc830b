"""Errors that report bad input to the user."""

from collections.abc import Iterator, Sequence

_NAMES_SHOWN = 5


class ImgcolorError(Exception):
    """Bad input. The message is one line: where the problem is, what was expected, what was found, what to do.

    The command line prints the message without a traceback; in Python it is an ordinary exception.

    Attributes:
        exit_status: The command line's exit status after this error.
    """

    exit_status = 1


class DivergedError(ImgcolorError):
    """Training reached a loss that is not a finite number, which is a result rather than a failure."""

    exit_status = 3


def one_line_error(message: str) -> ImgcolorError:
    """Return an error with a message of one line, even if a file name or another library's text has several."""
    return ImgcolorError(" ".join(message.splitlines()))


def missing_weights(path: str, url: str, use: str, error: Exception, way_out: str) -> ImgcolorError:
    """Return an error for weights that are not in torch's cache and cannot be downloaded.

    Args:
        path: Where the file should be.
        url: Its address.
        use: What the weights are for, such as ``alex for LPIPS``.
        error: Why the download failed.
        way_out: What to do without the weights.
    """
    return ImgcolorError(
        f"{path}: expected the weights of {use}, found no readable file, and the download failed ({error}); download "
        f"{url} elsewhere and copy it there, or {way_out}"
    )


def check_positive(name: str, value: int) -> None:
    """Refuse a number below 1.

    Args:
        name: What the error calls the number.
        value: The number.

    Raises:
        ImgcolorError: If it is below 1.
    """
    if value < 1:
        raise one_line_error(f"{name}: expected at least 1, found {value}; pass a larger one")


def reason_of(error: Exception) -> str:
    """Return the message of an error, or the name of its class where it has none."""
    return str(error) or type(error).__name__


def shorten(names: Iterator[str]) -> str:
    """Return the first ten different names, sorted, as a list for a message."""
    unique = sorted(set(names))
    return ", ".join(unique[:10] + ["..."] * (len(unique) > 10)) or "none"


def first_names(names: Sequence[str]) -> str:
    """Return the first five names, in their order, and the number of the others, for a message."""
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
