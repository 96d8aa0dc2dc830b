"""The errors that imgcolor raises on purpose for its users."""


class ImgcolorError(Exception):
    """Bad input, said in one line: what is wrong and where, what was expected, what was found, the way out.

    The command line prints the message alone and exits with status 1; from Python it is an ordinary exception.
    """


class DivergedError(ImgcolorError):
    """Training reached a loss that is not a finite number; the command line exits with status :data:`DIVERGED`."""


DIVERGED = 3
"""The command line's exit status for it: a result, not a failure."""
