import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from imgcolor.data.sources.drawn_faces import draw_faces


@pytest.fixture
def face(tmp_path: Path) -> Path:
    """A colour photo of 40x48 pixels."""
    path = tmp_path / "face.png"
    Image.fromarray(draw_faces(1, 48)[0, :, :, 4:44].permute(1, 2, 0).numpy()).save(path)
    return path


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running `imgcolor demo`, which must end with status 0 and delete its files."""
    pytest.importorskip("gradio")
    folder = tmp_path_factory.mktemp("demo")
    temporary = folder / "temporary"
    temporary.mkdir()
    (folder / "secret.txt").write_text("secret")
    with (folder / "stderr").open("w") as errors:
        server = subprocess.Popen(
            [sys.executable, "-m", "imgcolor", "demo"],
            cwd=folder,
            env=os.environ | {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            # When a shell runs the tests in the background, child processes ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
    assert server.stdout is not None
    line = server.stdout.readline()
    assert "http://127.0.0.1:" in line, (folder / "stderr").read_text()
    yield next(word for word in line.split() if word.startswith("http"))
    server.send_signal(signal.SIGINT)
    assert server.wait(60) == 0
    assert list(temporary.iterdir()) == []
    assert sorted(path.name for path in folder.iterdir()) == ["secret.txt", "stderr", "temporary"]
