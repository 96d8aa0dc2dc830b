"""The real server, over HTTP."""

import shutil
import socket
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from imgcolor.cli.main import main
from imgcolor.pipelines import Hint, load

gradio_client = pytest.importorskip("gradio_client")


def show(
    address: str, photo: Any, model: str, folder: Path, hints: str = "", saturation: float = 1
) -> list[Any]:
    """Return what the page gets when a user chooses a photo, a model and hints; its files are put in the folder."""
    client = gradio_client.Client(address, verbose=False, analytics_enabled=False, download_files=folder)
    outputs: list[Any] = list(client.predict(photo, model, hints, saturation, api_name="/show"))
    return outputs


@pytest.fixture
def http(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
        yield client


def test_a_photo_is_colourized(address: str, face: Path, tmp_path: Path) -> None:
    message, slider, download, remarks, original, metrics, about, *_ = show(
        address, gradio_client.handle_file(face), "faces", tmp_path
    )
    assert not message["visible"]
    expected = np.asarray(load("faces").colourize(Image.open(face)))
    assert Path(download["value"]).name == "face_faces.png"
    np.testing.assert_array_equal(np.asarray(Image.open(download["value"])), expected)
    before, after = slider["value"]
    np.testing.assert_array_equal(np.asarray(Image.open(after)), expected)
    np.testing.assert_array_equal(np.asarray(Image.open(before)), np.asarray(Image.open(face).convert("L")))
    np.testing.assert_array_equal(np.asarray(Image.open(original["value"])), np.asarray(Image.open(face)))
    assert "| CIEDE2000 |" in metrics["value"]
    assert "likely ones, not the true ones" in remarks
    assert "Labeled Faces in the Wild" in about


def test_hints_change_the_colours_as_on_the_command_line(address: str, face: Path, tmp_path: Path) -> None:
    photo, lines = gradio_client.handle_file(face), "20,20,#3060c0\n5,40,#00a000"
    _, _, download, *_, canvas, _ = show(address, photo, "photos", tmp_path, lines)
    with Image.open(download["value"]) as result:
        hints = [Hint.parse(line) for line in lines.splitlines()]
        expected = load("photos").colourize(Image.open(face), hints=hints)
        np.testing.assert_array_equal(np.asarray(result), np.asarray(expected))
    with Image.open(canvas["value"] if isinstance(canvas, dict) else canvas) as marked:
        assert marked.getpixel((20, 20)) == (0x30, 0x60, 0xC0)
        assert marked.size == (40, 48)


def test_the_saturation_is_that_of_the_command(address: str, face: Path, tmp_path: Path) -> None:
    _, _, download, *_ = show(address, gradio_client.handle_file(face), "photos", tmp_path, saturation=1.7)
    expected = load("photos").colourize(Image.open(face), saturation=1.7)
    np.testing.assert_array_equal(np.asarray(Image.open(download["value"])), np.asarray(expected))


def test_several_photos_come_back_as_a_zip(address: str, face: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    same_name = Path(shutil.copy(face, tmp_path / "other" / face.name))
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    client = gradio_client.Client(address, verbose=False, analytics_enabled=False, download_files=tmp_path)
    files = [gradio_client.handle_file(path) for path in (face, same_name, bad)]
    button, message = client.predict(files, "horses", 1, api_name="/convert_all")
    assert "2 of 3 photos are converted." in str(message)
    assert "bad.png is not an image" in str(message)
    with zipfile.ZipFile(button["value"]) as archive:
        assert archive.namelist() == ["face.png", "face_1.png"]
        expected = load("horses").colourize(Image.open(face))
        np.testing.assert_array_equal(np.asarray(Image.open(archive.open("face.png"))), np.asarray(expected))


def test_a_hint_outside_the_photo_gives_a_message(address: str, face: Path, tmp_path: Path) -> None:
    message, *_ = show(address, gradio_client.handle_file(face), "photos", tmp_path, "40,20,#3060c0")
    assert "40×48 pixels, found 40,20" in message["value"]


def test_other_models_show_no_hints(address: str, face: Path, tmp_path: Path) -> None:
    *_, canvas, _ = show(address, gradio_client.handle_file(face), "faces", tmp_path, "20,20,#3060c0")
    assert canvas is None or canvas["value"] is None


@pytest.mark.parametrize("content", [b"no image", b""])
def test_a_bad_file_gives_a_message_and_the_next_file_works(
    content: bytes, address: str, face: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(content)
    message, *_ = show(address, gradio_client.handle_file(bad), "faces", tmp_path)
    assert 'role="alert">bad.png ' in message["value"]
    assert str(tmp_path) not in message["value"]
    _, _, download, *_ = show(address, gradio_client.handle_file(face), "horses_x4", tmp_path)
    assert Image.open(download["value"]).size == (160, 192)
    message, *_ = show(address, None, "faces", tmp_path)  # the photo is removed
    assert "Drop a photo" in message["value"]


def test_other_files_of_the_machine_are_not_converted(http: httpx.Client, face: Path) -> None:
    (uploaded,) = http.post("gradio_api/upload", files={"files": ("face.png", face.read_bytes())}).json()
    for path, event_type in ((face, "error"), (uploaded, "complete")):
        photos = [{"path": str(path), "meta": {"_type": "gradio.FileData"}}]
        asked = {"data": [photos, "horses", 1]}
        event = http.post("gradio_api/call/convert_all", json=asked).json()["event_id"]
        assert f"event: {event_type}" in http.get(f"gradio_api/call/convert_all/{event}").text


def test_files_of_too_many_bytes_are_refused(http: httpx.Client) -> None:
    large = {"files": ("large.png", bytes(41 * 2**20))}
    assert http.post("gradio_api/upload", files=large).status_code == 413


def test_only_the_demos_own_files_are_served(http: httpx.Client) -> None:
    own = Path(__file__)
    for path in (own, "secret.txt", "../secret.txt", "/etc/hostname"):
        assert http.get(f"gradio_api/file={path}").status_code in (403, 404)
    named = {"files": ("../../../escaped.png", b"no image")}
    (uploaded,) = http.post("gradio_api/upload", files=named).json()
    assert Path(uploaded).parents[1].name == "uploads"
    for path, event_type in ((own, "error"), (uploaded, "complete")):
        photo = {"path": str(path), "meta": {"_type": "gradio.FileData"}}
        event = http.post("gradio_api/call/show", json={"data": [photo, "faces", "", 1]}).json()["event_id"]
        assert f"event: {event_type}" in http.get(f"gradio_api/call/show/{event}").text


def test_nothing_is_fetched_from_other_hosts(http: httpx.Client) -> None:
    page = "https://example.org/a.png"
    asked = {
        "data": [{"path": page, "meta": {"_type": "gradio.FileData"}}, "faces", "", 1],
        "session_hash": "a",
    }
    for answer in (http.get(f"gradio_api/file={page}"), http.post("gradio_api/queue/join", json=asked)):
        assert answer.status_code == 403
        assert "found an address" in answer.text
    config = http.get("config").json()
    assert config["analytics_enabled"] is False


def test_an_address_that_is_not_available_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert main(["demo", "--port", str(port)]) == 1
        assert f"--port {port}" in capsys.readouterr().err
    assert main(["demo", "--host", "nowhere.invalid"]) == 1
    assert "--host nowhere.invalid" in capsys.readouterr().err


def test_missing_gradio_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # put back afterwards
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["demo"]) == 1
    assert "pip install 'imgcolor[demo]'" in capsys.readouterr().err
