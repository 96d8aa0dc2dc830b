"""The page in Chromium, with real files."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from imgcolor.pipelines import load

playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: make test-browser, as root"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    # Chromium's own sandbox does not work for root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as program:
        browser = program.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["desktop", "phone"])
def page(
    request: pytest.FixtureRequest, browser: playwright.Browser, address: str
) -> Iterator[playwright.Page]:
    width, height = request.param
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(120_000)
    hosts = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(address)
    playwright.expect(page.get_by_text("Drop a photo")).to_be_visible(timeout=120_000)
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # no horizontal scrolling
    assert hosts <= {urlsplit(address).netloc, ""}  # "" for data: and blob:
    page.close()


def drop(page: playwright.Page, path: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(path)


def download(page: playwright.Page, size: str, folder: Path) -> np.ndarray:
    """Wait until the button names the size, click it and return the pixels of the file."""
    with page.expect_download() as found:
        page.get_by_text(f"Download the result (PNG, {size})").click()
    path = folder / found.value.suggested_filename
    found.value.save_as(path)
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_photo_a_bad_file_and_another_photo(page: playwright.Page, face: Path, tmp_path: Path) -> None:
    page.get_by_label("(faces)").click()
    drop(page, face)
    expected = np.asarray(load("faces").colourize(Image.open(face)))
    np.testing.assert_array_equal(download(page, "40×48", tmp_path), expected)
    assert (tmp_path / "face_faces.png").exists()
    playwright.expect(page.get_by_text("likely ones, not the true ones")).to_be_visible()
    playwright.expect(page.get_by_role("cell", name="CIEDE2000")).to_be_visible()
    page.wait_for_function(
        "[...document.images].filter(image => image.naturalWidth === 40).length >= 4"
    )  # the photo, before, after, the original

    page.get_by_label("Remove Image").click()
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    drop(page, bad)
    playwright.expect(page.get_by_role("alert")).to_contain_text("bad.png is not an image", timeout=120_000)
    playwright.expect(page.get_by_text("Download the result")).to_be_hidden()

    page.get_by_label("Remove Image").click()
    grey = tmp_path / "grey.png"
    Image.open(face).convert("L").resize((33, 44)).save(grey)
    drop(page, grey)
    expected = np.asarray(load("faces").colourize(Image.open(grey)))
    np.testing.assert_array_equal(download(page, "33×44", tmp_path), expected)
    playwright.expect(page.get_by_role("alert")).to_be_hidden()
    playwright.expect(
        page.get_by_role("cell", name="CIEDE2000")
    ).to_be_hidden()  # a grey photo has no metrics

    page.get_by_label("(horses_x4)").click()
    expected = np.asarray(load("horses_x4").upscale(Image.open(grey)))
    np.testing.assert_array_equal(download(page, "132×176", tmp_path), expected)


def test_the_model_fits_the_photo_until_one_is_chosen(
    page: playwright.Page, face: Path, tmp_path: Path
) -> None:
    drop(page, face)
    playwright.expect(page.get_by_label("(photo_x4)")).to_be_checked()
    assert download(page, "160×192", tmp_path).shape == (192, 160, 3)
    page.get_by_label("(faces)").click()
    assert download(page, "40×48", tmp_path).shape == (48, 40, 3)
    page.get_by_label("Remove Image").click()
    drop(page, face)
    download(page, "40×48", tmp_path)
    playwright.expect(page.get_by_label("(faces)")).to_be_checked()


def test_choosing_a_drawing_selects_its_model(page: playwright.Page, tmp_path: Path) -> None:
    page.locator(".gallery-item").nth(2).click()
    playwright.expect(page.get_by_label("(horses)")).to_be_checked()
    result = download(page, "160×160", tmp_path)
    assert result.shape == (160, 160, 3)
    assert (tmp_path / "drawing_2_horses.png").exists()


def test_a_click_gives_a_hint_that_can_be_taken_back(
    page: playwright.Page, face: Path, tmp_path: Path
) -> None:
    drop(page, face)
    playwright.expect(page.get_by_label("(photo_x4)")).to_be_checked()
    page.get_by_label("(photos)").click()
    without = download(page, "40×48", tmp_path)
    page.get_by_text("A wrong colour?").click()
    canvas, hints = page.locator(".hint-canvas img"), page.get_by_label("Hints:")
    before = canvas.get_attribute("src")
    assert before is not None
    canvas.click()
    playwright.expect(hints).to_have_value(re.compile(r"^\d+,\d+,#3060c0$"))
    playwright.expect(canvas).not_to_have_attribute("src", before)
    after = canvas.get_attribute("src")
    assert after is not None
    assert np.abs(download(page, "40×48", tmp_path).astype(int) - without).max() > 20
    page.get_by_text("Undo the last hint").click()
    playwright.expect(hints).to_have_value("")
    playwright.expect(canvas).not_to_have_attribute("src", after)
    np.testing.assert_array_equal(download(page, "40×48", tmp_path), without)
