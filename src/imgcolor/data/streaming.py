"""Read images in chunks with litdata: from a folder, from object storage, or from a web server."""

import asyncio
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import urllib3
from litdata import StreamingDataLoader, StreamingDataset
from litdata.streaming.downloader import Downloader, get_downloader, register_downloader
from litdata.streaming.resolver import Dir
from torch import Tensor

from imgcolor.data.disk_cache import cache_folder
from imgcolor.utils.errors import ImgcolorError, one_line_error, reason_of

_INDEX = "index.json"
"""Name of the file that lists the chunks of a split."""


class ImageChunks:
    """The chunks of a split, as :func:`~imgcolor.data.stream_writer.write_stream` writes them.

    Chunks of a URL are kept in the cache folder (``XDG_CACHE_HOME``), as many as fit into three quarters of the free
    space of the disk. They are removed when the stream at the URL has changed.

    Args:
        place: A folder, or the URL of one.

    Raises:
        ImgcolorError: If there is no index of chunks.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self._url = place if "://" in place else None
        try:
            self._folder = Path(place) if self._url is None else _cached(self._url)
            index = json.loads((self._folder / _INDEX).read_text(encoding="utf-8"))
            self.count = sum(int(chunk["chunk_size"]) for chunk in index["chunks"])
        except Exception as error:  # each protocol has its own
            raise one_line_error(
                f"{place}: expected chunks of images, found no {_INDEX} that can be read ({reason_of(error)}); make "
                "them with `imgcolor stream`, or pass another --data.root"
            ) from error

    def read(self, limit: int) -> tuple[list[str], Tensor]:
        """Read images in the order in which they were written.

        Args:
            limit: Largest number of images.

        Returns:
            The names of the images, and uint8 [N, 3, H, W].
        """
        dataset = self._dataset()
        count = min(limit, self.count)
        first = dataset[0]
        dataset.on_demand_bytes = False  # whole chunks instead of a request for each image
        names = [first["name"]]
        pixels = torch.empty(count, *first["pixels"].shape, dtype=torch.uint8)
        pixels[0] = torch.from_numpy(first["pixels"])
        for index in range(1, count):
            item = dataset[index]
            names.append(item["name"])
            pixels[index] = torch.from_numpy(item["pixels"])
        return names, pixels

    def loader(
        self, batch_size: int, shuffle: bool, seed: int, workers: int, epoch: Callable[[], int]
    ) -> "StreamLoader":
        """Return batches for training; see :class:`StreamLoader`."""
        dataset = self._dataset(shuffle=shuffle, seed=seed, transform=_pixels)
        return StreamLoader(dataset, batch_size, workers=workers, epoch=epoch)

    def _dataset(self, **options: Any) -> StreamingDataset:
        # batch_decode: litdata would decode 256 images to return one, because the order within a chunk is random.
        place = Dir(path=str(self._folder), url=self._url)
        return StreamingDataset(place, item_shuffle_window="full", batch_decode=0, **options)


class StreamLoader(StreamingDataLoader):  # type: ignore[misc]  # litdata has no types
    """Batches of uint8 [B, 3, H, W] for training, in an order that depends on the seed and the epoch alone.

    Chunks come in random order, and the images of a chunk too. Each rank reads chunks of its own. All ranks have
    equally many images; for this, a few images of an epoch are left out where there are several.

    Its state is the place in the epoch, so a run can be resumed there. litdata's own state also has the paths of the
    chunks, and could not be used on another machine.

    Args:
        dataset: The chunks.
        batch_size: Number of images in a batch of one rank.
        workers: Number of processes that read. With none, litdata maps chunks into memory and does not free them.
        epoch: Returns the current epoch, from 0.
    """

    def __init__(
        self, dataset: StreamingDataset, batch_size: int, *, workers: int, epoch: Callable[[], int]
    ) -> None:
        # A generator of its own: each iterator draws one number, and a resumed epoch should have the same ones.
        super().__init__(dataset, batch_size=batch_size, num_workers=workers, generator=torch.Generator())
        self.current_epoch: int
        self.epoch = epoch

    def __iter__(self) -> Iterator[Tensor]:
        """Yield the batches of the epoch, without those that were given before a resume."""
        # litdata counts epochs from 1, and goes on to the next unless a state was loaded.
        if self.current_epoch != self.epoch() + 1:
            self.restore = False
            self.current_epoch = self.epoch()
        yield from super().__iter__()

    def state_dict(self) -> dict[str, int]:
        """Return the epoch, and what was given of it."""
        state = super().state_dict()
        own = {name: state[name] for name in ("current_epoch", "num_samples_yielded", "latest_worker_idx")}
        return own | self._options()

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Leave out the batches of the epoch that were given before.

        Raises:
            ImgcolorError: If the order of this run is another one.
        """
        for name, found in self._options().items():
            if state_dict[name] != found:
                raise ImgcolorError(
                    f"data.{name}: expected {state_dict[name]} as in the run of the checkpoint, found {found}; "
                    "the place in a stream depends on it: give the options of that run"
                )
        given, epoch = state_dict["num_samples_yielded"], state_dict["current_epoch"]
        dataset = self.dataset.state_dict(given, self.num_workers, self.batch_size) | {"current_epoch": epoch}
        super().load_state_dict({**state_dict, "dataset": dataset})

    def _options(self) -> dict[str, int]:
        """Return the options on which the order of the images depends."""
        return {
            "batch_size": int(self.batch_size or 1),
            "workers": self.num_workers,
            "images": len(self.dataset),
        }


class HTTPDownloader(Downloader):  # type: ignore[misc]  # litdata has no types
    """Downloads files from a web server. litdata itself reads only from object storage and the Hugging Face Hub."""

    def download_file(self, remote_chunkpath: str, local_chunkpath: str) -> None:
        """Download a file, unless it is there. Requests that fail are repeated."""
        if Path(local_chunkpath).exists():
            return
        temporary = Path(self._temp_download_path(local_chunkpath))
        retries = urllib3.Retry(5, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504))
        with urllib3.PoolManager(retries=retries, timeout=60) as pool:
            response = pool.request("GET", remote_chunkpath, preload_content=False)
            if response.status != 200:
                raise OSError(f"status {response.status}")
            try:
                with temporary.open("wb") as file:
                    shutil.copyfileobj(response, file)
                self._publish_file(str(temporary), local_chunkpath)
            finally:
                temporary.unlink(missing_ok=True)

    async def adownload_file(self, remote_filepath: str, local_filepath: str) -> None:
        """Download a file in a thread, while another chunk is read."""
        await asyncio.to_thread(self.download_file, remote_filepath, local_filepath)


def _pixels(item: dict[str, Any]) -> Tensor:
    pixels: np.ndarray = item["pixels"]
    return torch.from_numpy(pixels)


def _cached(url: str) -> Path:
    """Return the folder for the chunks of a URL, with its index as it is now."""
    for prefix in ("http://", "https://"):
        register_downloader(prefix, HTTPDownloader, overwrite=True)
    with tempfile.TemporaryDirectory() as temporary:
        new = Path(temporary) / _INDEX
        get_downloader(url, temporary, []).download_file(f"{url.rstrip('/')}/{_INDEX}", str(new))
        index = new.read_bytes()
        name = f"stream-{_hash(url.encode())}"
        folder = cache_folder() / f"{name}-{_hash(index)}"
        folder.mkdir(parents=True, exist_ok=True)
        for other in cache_folder().glob(f"{name}-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        if not (folder / _INDEX).exists():
            part = folder / f"{_INDEX}.{Path(temporary).name}"  # other ranks do the same
            shutil.copy(new, part)
            part.replace(folder / _INDEX)
    return folder


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
