"""imgcolor demo: try the models in the browser."""

import os
import signal
import socket
import tempfile
from pathlib import Path

from rich.console import Console

from imgcolor.pipelines import load
from imgcolor.pretrained import cards
from imgcolor.utils.errors import ImgcolorError


def demo(host: str = "127.0.0.1", port: int | None = None) -> None:
    """Try the models that come with imgcolor in the browser: drop a photo, see what a model makes of it.

    Nothing leaves this machine. Photos and results lie in a temporary folder, which goes when the command ends, by
    Ctrl-C.

    Args:
        host: The address to serve at. Others than this machine reach 0.0.0.0, without a password.
        port: The port to serve at; by default the first free one from 7860 on.

    Raises:
        ImgcolorError: If the extra `demo` is missing, or nothing can be served at that address.
    """
    try:
        socket.create_server((host, port or 0)).close()
    except (OSError, OverflowError) as error:
        raise ImgcolorError(
            f"--host {host} --port {port or 'any'}: expected an address of this machine with a free port, found "
            f"none ({error}); choose another"
        ) from error
    with tempfile.TemporaryDirectory(prefix="imgcolor-demo-") as folder:
        uploads, examples = Path(folder, "uploads"), Path(folder, "examples")
        uploads.mkdir()
        examples.mkdir()
        os.environ["GRADIO_TEMP_DIR"] = str(uploads)  # the only way to tell Gradio
        with Console(stderr=True).status("Loading the models"):
            try:
                import gradio  # noqa: F401
            except ImportError as error:
                raise ImgcolorError(
                    f"demo: needs gradio, found none ({error}); install it with pip install 'imgcolor[demo]'"
                ) from error
            from imgcolor.demo.app import build, serve

            page = build({name: load(name) for name in cards()}, uploads, examples)
            address = serve(page, host, port)
        print(f"imgcolor's models are at {address} until Ctrl-C", flush=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # the folder goes then, too
        page.block_thread()
