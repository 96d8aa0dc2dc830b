"""`imgcolor colourize --address`, on a Ray cluster of two nodes of one core, both on this machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from image_helpers import noise, save
from imgcolor.cli.main import main

pytest.importorskip("ray")


@pytest.fixture
def address() -> Iterator[str]:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        yield cluster.address
    finally:
        cluster.shutdown()


def command(address: str, *options: str) -> list[str]:
    options = ("colourize", "photos", "--output", "out", f"--address={address}", *options)
    return [sys.executable, "-m", "imgcolor", *options]


@pytest.mark.slow
def test_two_nodes_convert_each_photo_once(workplace: Path, address: str) -> None:
    """A run is killed; the next one converts the photos that are left, and lists the one that cannot be read."""
    for number in range(60):
        save(workplace / "photos" / f"{number:02}.png", noise(64, 64, number))
    (workplace / "photos" / "30.png").write_bytes(b"no image")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command(address), env=environment) as first:
        while len(list((workplace / "out").glob("*.png"))) < 10:
            assert first.poll() is None
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
    while any(
        "ray::_convert" in (process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
    ):
        time.sleep(0.01)  # Ray ends the tasks of the killed process
    before = {path: path.stat().st_mtime_ns for path in (workplace / "out").glob("*.png")}
    assert 10 <= len(before) < 59

    again = subprocess.run(command(address), capture_output=True, text=True, check=False, env=environment)
    assert again.returncode == 1
    assert "--skip-existing" in again.stderr
    resumed = subprocess.run(
        command(address, "--skip-existing"), capture_output=True, text=True, check=False, env=environment
    )
    assert resumed.returncode == 1, resumed.stderr
    left = 60 - len(before)
    assert f"{left - 1} of {left} photos in out, by 2 nodes; {len(before)} results existed" in resumed.stdout
    assert "photos/30.png is not an image" in resumed.stderr
    assert f"1 of {left} photos could not be converted" in resumed.stderr

    results = sorted((workplace / "out").iterdir())
    assert [path.name for path in results] == [f"{n:02}.png" for n in range(60) if n != 30]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert main(["colourize", "photos", "--output", "here"]) == 1
    for path in results:
        found, expected = (np.asarray(Image.open(p), int) for p in (path, workplace / "here" / path.name))
        assert np.abs(found - expected).max() <= 1  # batches of another size


def test_mistakes_are_reported_in_one_line(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(workplace / "a.png", noise(8, 8))
    assert main(["colourize", "a.png", "--address", "auto", "--compare"]) == 2
    assert "--compare or --address" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    assert main(["colourize", "a.png", "--address", address]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"imgcolor: error: --address {address}: expected a Ray cluster, found none")
    assert not (workplace / "coloured").exists()
