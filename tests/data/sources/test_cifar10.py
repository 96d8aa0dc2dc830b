import hashlib
import http.server
import io
import pickle
import tarfile
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from image_helpers import error_line, noise, save
from imgcolor.data.sources import Cifar10Source
from imgcolor.data.sources.cifar10 import CATEGORIES


class OfficialPickler(pickle.Pickler):
    """Writes dtypes as the official files hold them: with integers, which some NumPy versions warn about."""

    def reducer_override(self, value: object) -> object:
        if isinstance(value, np.dtype):
            make, (kind, *_), state = value.__reduce__()
            return make, (kind, 0, 1), state
        return NotImplemented


def pickled(value: object) -> bytes:
    data = io.BytesIO()
    OfficialPickler(data, protocol=2).dump(value)
    return data.getvalue()


@dataclass
class TinyCifar10:
    """Fourteen images a file, in the official layout, and what must come out: each category's in order."""

    files: dict[str, bytes] = field(default_factory=dict)
    train: dict[int, list[np.ndarray]] = field(default_factory=dict)
    test: dict[int, list[np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        generator = np.random.default_rng(0)
        for name in [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]:
            rows = generator.integers(0, 256, (14, 3072), dtype=np.uint8)
            labels = [*range(10), *generator.integers(0, 10, 4).tolist()]
            generator.shuffle(labels)
            images = self.test if name == "test_batch" else self.train
            for row, label in zip(rows, labels, strict=True):
                images.setdefault(label, []).append(row.reshape(3, 32, 32))
            self.files[name] = pickled({"data": rows, "labels": labels})
        self.files["batches.meta"] = pickled({"label_names": list(CATEGORIES)})

    def archive(self) -> bytes:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as tar:
            for name, content in self.files.items():
                member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        return data.getvalue()


@dataclass
class Site:
    """A server of one archive: what it answers can be changed, and it counts how often it was asked."""

    archive: bytes
    status: int = 200
    sent: int | None = None  # bytes of the body before the connection is cut; None for all
    requests: int = 0

    def __post_init__(self) -> None:
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests += 1
                self.send_response(site.status)
                self.send_header("Content-Length", str(len(site.archive)))
                self.end_headers()
                self.wfile.write(site.archive[: site.sent])

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/cifar-10-python.tar.gz"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def tiny() -> TinyCifar10:
    return TinyCifar10()


@pytest.fixture
def site(tiny: TinyCifar10, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    def md5(content: bytes) -> str:
        return hashlib.md5(content).hexdigest()

    site = Site(tiny.archive())
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(CIFAR10, "url", site.url)
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(site.archive))
    batches = [[name, md5(content)] for name, content in tiny.files.items() if name != "batches.meta"]
    monkeypatch.setattr(CIFAR10, "train_list", batches[:5])
    monkeypatch.setattr(CIFAR10, "test_list", batches[5:])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5(tiny.files["batches.meta"])})
    yield site
    site.close()


def test_cifar10_has_the_category_in_the_official_order(
    tmp_path: Path, tiny: TinyCifar10, site: Site
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for category in ("airplane", "horse", "truck"):
            source = Cifar10Source(tmp_path, category)
            label = CATEGORIES.index(category)
            for split, images in (("train", tiny.train), ("val", tiny.test), ("test", tiny.test)):
                loaded = source.load(split)
                assert np.array_equal(loaded.pixels.numpy(), np.stack(images[label]))
                assert loaded.names[0] == f"{category}_0000"
                assert loaded.pixels.is_contiguous()
                assert loaded.pixels.untyped_storage().nbytes() == loaded.pixels.numel()  # no other category


def test_cifar10_is_downloaded_once_and_leaves_only_the_finished_folder(tmp_path: Path, site: Site) -> None:
    Cifar10Source(tmp_path / "new" / "root").load("train")
    asked = site.requests
    assert asked > 0
    assert [path.name for path in (tmp_path / "new" / "root").iterdir()] == ["cifar-10-batches-py"]
    Cifar10Source(str(tmp_path / "new" / "root"), "cat").load("val")
    assert site.requests == asked


def no_server(site: Site, _monkeypatch: pytest.MonkeyPatch) -> None:
    site.close()


def not_found(site: Site, _monkeypatch: pytest.MonkeyPatch) -> None:
    site.status = 404


def wrong_md5(_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CIFAR10, "tgz_md5", "0" * 32)


def body_cut(site: Site, _monkeypatch: pytest.MonkeyPatch) -> None:
    site.sent = len(site.archive) // 2


def answer_cut(site: Site, _monkeypatch: pytest.MonkeyPatch) -> None:
    site.sent = 0


def unknown_host(_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CIFAR10, "url", "http://host.invalid/cifar-10-python.tar.gz")
    monkeypatch.setenv("no_proxy", "*")


@pytest.mark.parametrize(
    ("fail", "fault"),
    [
        (no_server, "refused"),
        (not_found, "HTTP Error 404"),
        (wrong_md5, "not the archive with md5 00000000000000000000000000000000"),
        (body_cut, "the download is incomplete"),
        (answer_cut, "the download is incomplete"),
        (unknown_host, "urlopen error"),
    ],
)
def test_a_failed_download_gives_the_reason_and_leaves_nothing(
    tmp_path: Path,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    fail: Callable[[Site, pytest.MonkeyPatch], None],
    fault: str,
) -> None:
    fail(site, monkeypatch)
    error_line(
        lambda: Cifar10Source(tmp_path).load("train"),
        fault,
        CIFAR10.url,
        f"copy the archive to {tmp_path}/cifar-10-python.tar.gz",
        f"{tmp_path}/cifar-10-batches-py",
        "--data.source folder",
        "--data.source synthetic",
    )
    assert list(tmp_path.iterdir()) == []


def test_download_works_after_one_that_failed(tmp_path: Path, site: Site) -> None:
    site.sent = 100
    error_line(lambda: Cifar10Source(tmp_path).load("train"), "incomplete")
    site.sent = None
    assert len(Cifar10Source(tmp_path).load("train")) > 0


@pytest.mark.usefixtures("site")
def test_interrupted_download_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_self: tarfile.TarFile, path: str, **_options: object) -> None:
        (Path(path) / "cifar-10-batches-py").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(tarfile.TarFile, "extractall", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Cifar10Source(tmp_path).load("train")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_archive_needs_no_server(tmp_path: Path, tiny: TinyCifar10, site: Site) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(site.archive)
    images = Cifar10Source(tmp_path, "ship").load("test")
    assert np.array_equal(images.pixels.numpy(), np.stack(tiny.test[8]))
    assert site.requests == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["cifar-10-batches-py", "cifar-10-python.tar.gz"]


def test_a_damaged_archive_is_refused_and_kept(tmp_path: Path, site: Site) -> None:
    archive = tmp_path / "cifar-10-python.tar.gz"
    archive.write_bytes(site.archive[:-10])
    error_line(
        lambda: Cifar10Source(tmp_path).load("train"), str(archive), "found an incomplete", "replace it"
    )
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]
    assert site.requests == 0


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("data_batch_3", "data_batch_3 damaged"),
        ("batches.meta", "batches.meta damaged"),
        ("test_batch", "test_batch missing"),
    ],
)
def test_the_error_for_a_damaged_folder_names_the_file(tmp_path: Path, name: str, fault: str) -> None:
    Cifar10Source(tmp_path).load("train")
    folder = tmp_path / "cifar-10-batches-py"
    if "missing" in fault:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(b"other content")
    error_line(lambda: Cifar10Source(tmp_path).load("train"), str(folder), fault, "delete the folder")


def test_another_process_can_finish_first(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def after_the_other(self: Path, target: Path) -> Path:
        with tarfile.open(fileobj=io.BytesIO(site.archive)) as tar:
            tar.extractall(tmp_path)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", after_the_other)
    assert len(Cifar10Source(tmp_path).load("train")) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["cifar-10-batches-py"]


@pytest.mark.usefixtures("site")
def test_cifar10_root_that_is_a_file(tmp_path: Path) -> None:
    root = save(tmp_path / "a.png", noise())
    error_line(lambda: Cifar10Source(root).load("train"), str(root), "File exists", "--data.source folder")


def test_unknown_category_lists_the_ten() -> None:
    error_line(
        lambda: Cifar10Source("anywhere", "unicorn"),
        "airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck",
        "'unicorn'",
    )


def test_failed_download_leaves_no_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/nothing.tar.gz")
    error_line(lambda: Cifar10Source(tmp_path / "new").load("train"), "--data.source synthetic")
    assert not (tmp_path / "new").exists()
