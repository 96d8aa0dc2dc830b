"""Connect to a Ray cluster."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator

from imgcolor.utils.errors import ImgcolorError


@contextlib.contextmanager
def ray_cluster(address: str | None, command: str) -> Iterator[None]:
    """Connect to a cluster, and leave it at the end.

    Args:
        address: The address of a Ray cluster, such as ``auto``; None starts one on this machine.
        command: What the error calls the command.

    Raises:
        ImgcolorError: If Ray is missing, or there is no cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ImgcolorError(
            f"{command}: expected Ray, found none ({error}); install it with pip install 'imgcolor[ray]'"
        ) from error
    try:
        _check_reachable(address)
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except OSError as error:
        raise ImgcolorError(
            f"--address {address}: expected a Ray cluster, found none ({error}); start one with `ray start --head`"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Refuse an address HOST:PORT at which nothing answers. Ray would try for a minute, and then end the process."""
    host, colon, port = (address or "").rpartition(":")
    if colon and "/" not in host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()
