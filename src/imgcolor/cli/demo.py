"""imgcolor demo: try the models in the browser."""

import os
import signal
import socket
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

from imgcolor.cli.options import CommandParser
from imgcolor.pretrained import cards
from imgcolor.utils.errors import ImgcolorError


def add_arguments(parser: CommandParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Serve a web page that colourizes or enlarges photos with the models of imgcolor. Photos stay on this "
        "machine. Photos and results are kept in a temporary folder, which is deleted when the command ends."
    )
    parser.example = "imgcolor demo --port 7860"
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to serve at; 0.0.0.0 lets other machines connect, without a password "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, help="the port to serve at (default: the first free one from 7860)"
    )


def run(arguments: Namespace) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        ImgcolorError: If the extra ``demo`` is not installed, or the address is not available.
    """
    host, port = arguments.host, arguments.port
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
        os.environ["GRADIO_TEMP_DIR"] = str(uploads)  # Gradio has no argument for it
        print("Loading the models ...", file=sys.stderr, flush=True)
        try:
            import gradio  # noqa: F401
        except ImportError as error:
            raise ImgcolorError(
                f"demo: needs gradio, found none ({error}); install it with pip install 'imgcolor[demo]'"
            ) from error
        from imgcolor.demo.app import build, serve
        from imgcolor.pipelines import load

        page = build({name: load(name) for name in cards()}, uploads, examples)
        address = serve(page, host, port)
        print(f"The demo is at {address} until Ctrl-C", flush=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM also deletes the folder
        page.block_thread()
