"""Words for messages."""


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 epoch``, ``2 epochs``.

    Args:
        number: The number.
        noun: The noun in the singular, whose plural has an s.

    Examples:
        >>> count_of(1, "epoch")
        '1 epoch'
        >>> count_of(0, "image")
        '0 images'
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def four_digits(value: float) -> str:
    """Return a number with four significant digits, for tables and progress bars.

    Examples:
        >>> four_digits(0.8), four_digits(24.37159), four_digits(3281.6)
        ('0.8000', '24.37', '3282')
    """
    return f"{value:#.4g}".removesuffix(".")
