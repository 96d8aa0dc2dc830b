"""The web page: its layout, and its reaction when a user chooses a photo or a model. It needs Gradio."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr
from fastapi import Depends, HTTPException, Request
from PIL import Image, ImageColor, ImageDraw

from imgcolor.data.sources.drawn_faces import draw_faces
from imgcolor.data.sources.drawn_horses import draw_horses
from imgcolor.demo.actions import METRICS, DemoResult, run_model, suggest_model, zip_results
from imgcolor.pipelines import Colourizer, Hint, PhotoColourizer, Upscaler
from imgcolor.pretrained import Card, cards
from imgcolor.utils.errors import ImgcolorError

MAX_BYTES = 40 * 2**20
"""Largest file that can be uploaded."""

_HINT = "Drop a photo, or choose a drawing. The result appears here."

_CAUTIONS = {
    "colourize": "These colours are likely ones, not the true ones: a uniform, a skin tone or a flag is a guess, "
    "and no evidence of anything.",
    "upscale": "These details are likely ones, not the true ones. Photos that were reduced in another way than the "
    "training images of the model can get false edges.",
}
"""Notice below a result, by the command that gives the same result."""

_CSS = """
.gradio-container { max-width: 1180px !important; margin: auto; }
.notice {
  margin: 0; padding: 0.7em 1em; border-radius: var(--radius-lg); background: var(--block-background-fill);
}
.hint-canvas img { cursor: crosshair; }
.fault { border-left: 4px solid var(--error-icon-color); }
.metrics table { width: 100%; font-size: 0.9em; font-variant-numeric: tabular-nums; }
.metrics :is(th, td) { padding: 0.4em 0.5em !important; overflow-wrap: normal; word-break: normal; }
"""


def build(models: Mapping[str, Colourizer | Upscaler], results: Path, examples: Path) -> gr.Blocks:
    """Build the page.

    Args:
        models: Name to model, of those that come with the package.
        results: Gradio's folder for uploads. The results are written there too, and Gradio deletes old files.
        examples: A folder for the example drawings.
    """
    gr.set_static_paths(examples)  # Gradio serves files from there, and does not delete them
    described = {name: card for name, card in cards().items() if name in models}

    def chosen(name: str) -> Colourizer | Upscaler:
        if name not in models:
            raise gr.Error(f"expected one of {', '.join(models)}, found {name!r}")
        return models[name]

    def suggest(upload: dict[str, Any] | None, has_chosen: bool) -> Any:
        path = Path(upload["path"]) if upload else examples
        if has_chosen or path.is_relative_to(examples):  # examples come with their model
            return gr.skip()
        name = suggest_model(path)
        return name if name in models else gr.skip()

    def show(upload: dict[str, Any] | None, name: str, hint_lines: str, saturation: float) -> list[Any]:
        model = chosen(name)
        if upload is None:
            return _nothing(_HINT)
        path = Path(upload["path"])
        try:
            hints = [Hint.parse(line) for line in hint_lines.splitlines()]
            takes_hints = isinstance(model, PhotoColourizer)
            result = run_model(path, model, hints if takes_hints else [], _factor(saturation))
        except ImgcolorError as error:
            return _nothing(str(error), fault=True)
        place = results / uuid4().hex
        before = _write(result.before, place / "before.png")
        after = _write(result.after, place / f"{path.stem}_{name}.png")
        original = _write(result.original, place / "original.png") if result.original else None
        canvas = _write(_mark(result.after, hints), place / "hints.png") if takes_hints else None
        start = "bicubic enlargement" if isinstance(model, Upscaler) else "grey"
        return [
            gr.HTML(visible=False),
            gr.Column(visible=True),
            gr.ImageSlider((before, after), label=f"Left: {start}. Right: {name}."),
            gr.DownloadButton(_download_label(result), after),
            _remarks(result, model),
            gr.Image(original, visible=original is not None),
            gr.Markdown(_table(result), visible=bool(result.metrics)),
            _about(described[name]),
            gr.Accordion(visible=takes_hints),
            gr.Image(canvas),
            gr.Slider(visible=not isinstance(model, Upscaler)),
        ]

    def convert_all(uploads: list[dict[str, Any]] | None, name: str, saturation: float) -> list[Any]:
        if not uploads:
            return [gr.DownloadButton(visible=False), _notice("Add photos first.")]
        paths = [Path(upload["path"]) for upload in uploads]
        place = results / uuid4().hex
        archive, failures = zip_results(paths, chosen(name), place / f"{name}.zip", _factor(saturation))
        text = "\n".join([f"{len(paths) - len(failures)} of {len(paths)} photos are converted.", *failures])
        button = gr.DownloadButton(
            "Download the results (ZIP)", str(archive), visible=len(failures) < len(paths)
        )
        return [button, _notice(text, fault=bool(failures))]

    page = gr.Blocks(
        title="imgcolor", analytics_enabled=False, delete_cache=(600, 3600)
    )  # every 10 minutes, delete files that are older than an hour
    with page:
        gr.Markdown(
            "# imgcolor\nColourize or enlarge a photo. The photo stays on the machine that serves this page."
        )
        with gr.Row():
            with gr.Column(scale=2):
                photo = gr.Image(
                    label="Photo",
                    alt_text="The photo as it was dropped",  # shown for TIFF files, which few browsers display
                    sources=["upload", "clipboard"],
                    height=260,
                )
                choices = [(f"{card.title} ({name})", name) for name, card in described.items()]
                model = gr.Radio(choices, value=choices[0][1], label="Model")
                has_chosen = gr.State(False)
            with gr.Column(scale=3):
                message = gr.HTML(_notice(_HINT), padding=False)
                with gr.Column(visible=False) as shown:
                    slider = gr.ImageSlider(interactive=False, buttons=["fullscreen"], format="png")
                    download = gr.DownloadButton(variant="primary")
                    saturation = gr.Slider(0, 2, value=1, step=0.1, label="Saturation: 0 is grey, 2 is bold")
                    with gr.Accordion("A wrong colour? Show the right one", open=False) as hint_panel:
                        gr.Markdown("Choose a colour, then click on a place that has it.")
                        colour = gr.ColorPicker("#3060c0", label="Colour")
                        canvas = gr.Image(
                            label="Click here", interactive=False, buttons=[], elem_classes="hint-canvas"
                        )
                        hints = gr.Textbox(
                            label="Hints: column, row, colour; as for imgcolor colourize --hint",
                            interactive=False,
                            placeholder="none",
                        )
                        with gr.Row():
                            undo = gr.Button("Undo the last hint", size="sm")
                            clear = gr.Button("Clear all hints", size="sm")
                    remarks = gr.Markdown()
                    original = gr.Image(
                        label="The photo's own colours", interactive=False, buttons=[], height=300
                    )
                    metrics = gr.Markdown(elem_classes="metrics")
                    with gr.Accordion("About this model", open=False):
                        about = gr.Markdown()
        gr.Examples(_examples(examples), [photo, model], label="Drawings to try", visible_columns=[0])
        with gr.Accordion("Several photos", open=False):
            many = gr.File(label="Photos", file_count="multiple", file_types=["image"])
            start = gr.Button("Convert all with the chosen model")
            archive = gr.DownloadButton(visible=False, variant="primary")
            outcome = gr.HTML(padding=False)
        canvas.select(_add_hint, [hints, colour], hints, api_visibility="undocumented")
        undo.click(_without_last, hints, hints, api_visibility="undocumented")
        gr.on([clear.click, photo.change], lambda: "", None, hints, api_visibility="undocumented")
        start.click(
            convert_all,
            [many, model, saturation],
            [archive, outcome],
            preprocess=False,
            concurrency_limit=1,
            api_visibility="undocumented",
        )
        show_result: dict[str, Any] = {
            "fn": show,
            "inputs": [photo, model, hints, saturation],
            "outputs": [
                message,
                shown,
                slider,
                download,
                remarks,
                original,
                metrics,
                about,
                hint_panel,
                canvas,
                saturation,
            ],
            "preprocess": False,  # Gradio's own decoding supports neither 16 bits nor errors in files
            "trigger_mode": "always_last",
            "concurrency_limit": 1,
            "concurrency_id": "show",
            "api_visibility": "undocumented",
        }
        gr.on([hints.change, saturation.release], **show_result)
        model.input(lambda: True, None, has_chosen, api_visibility="undocumented").then(**show_result)
        photo.change(
            suggest, [photo, has_chosen], model, preprocess=False, api_visibility="undocumented"
        ).then(**show_result)
    return page


# Gradio's copy of this font lacks letters in the weight 600.
_FONTS = (gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif")


def serve(page: gr.Blocks, host: str, port: int | None) -> str:
    """Start the server in background threads and return its address."""
    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        inline=False,
        share=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=[],
        max_file_size=MAX_BYTES,
        theme=gr.themes.Default(primary_hue="teal", neutral_hue="stone", font=_FONTS),
        css=_CSS,
        app_kwargs={"dependencies": [Depends(_own_files_only)]},
    )
    return str(address)


async def _own_files_only(request: Request) -> None:
    """Refuse addresses of images on other hosts, which Gradio would fetch."""
    kind = request.headers.get("content-type", "")
    body = b"" if kind.startswith("multipart/") else await request.body()
    if "=http" in request.url.path or (body and _has_url(json.loads(body))):
        raise HTTPException(403, "expected a file that was uploaded here, found an address")


def _has_url(value: Any) -> bool:
    if isinstance(value, dict):
        path = value.get("path")
        return (isinstance(path, str) and "://" in path) or any(map(_has_url, value.values()))
    return isinstance(value, list) and any(map(_has_url, value))


def _nothing(notice: str, fault: bool = False) -> list[Any]:
    """Return the outputs that hide the results and show a notice instead."""
    return [gr.HTML(_notice(notice, fault), visible=True), gr.Column(visible=False), *[gr.skip()] * 9]


def _notice(text: str, fault: bool = False) -> str:
    kind = 'class="notice fault" role="alert"' if fault else 'class="notice"'
    return f"<p {kind}>{html.escape(text)}</p>"


def _factor(saturation: float) -> float | None:
    """Return the factor of the chroma; None for 1, which is the model's own saturation."""
    return None if saturation == 1 else float(saturation)


def _add_hint(event: gr.SelectData, lines: str, colour: str) -> str:
    """Add the clicked place, with the chosen colour, to the lines of hints."""
    column, row = event.index
    return "\n".join([*lines.splitlines(), f"{column},{row},{_hex(colour)}"])


def _without_last(lines: str) -> str:
    return "\n".join(lines.splitlines()[:-1])


def _hex(colour: str) -> str:
    """Return a colour of Gradio's colour picker, such as ``rgba(12.5, 80, 255, 1)``, as ``#RRGGBB``."""
    numbers = re.findall(r"[\d.]+", colour) if colour.startswith("rgb") else ImageColor.getrgb(colour)
    return "#" + "".join(f"{round(float(number)):02x}" for number in numbers[:3])


def _mark(image: Image.Image, hints: Sequence[Hint]) -> Image.Image:
    """Return an image with a dot of its colour at each hint."""
    marked = image.convert("RGB")
    draw = ImageDraw.Draw(marked)
    radius = max(2, min(marked.size) // 60)
    for hint in hints:
        draw.circle((hint.x, hint.y), radius + 2, fill="black")
        draw.circle((hint.x, hint.y), radius + 1, fill="white")
        draw.circle((hint.x, hint.y), radius, fill=hint.colour)
    return marked


def _write(image: Image.Image, path: Path) -> str:
    path.parent.mkdir(exist_ok=True)
    image.save(path, compress_level=3)
    return str(path)


def _download_label(result: DemoResult) -> str:
    return f"Download the result (PNG, {result.after.width}×{result.after.height})"


def _remarks(result: DemoResult, model: Colourizer | Upscaler) -> str:
    command = "upscale" if isinstance(model, Upscaler) else "colourize"
    if result.original_size is None:
        return _CAUTIONS[command]
    width, height = result.original_size
    return (
        f"The photo, {width}×{height}, was made smaller first; `imgcolor {command}` takes it at full size.\n\n"
        f"{_CAUTIONS[command]}"
    )


def _table(result: DemoResult) -> str:
    lines = [f"| | {' | '.join(result.metrics)} |", "|---" + "|---:" * len(result.metrics) + "|"]
    for name in METRICS:
        cells = [f"{metrics[name]:.3g}" if name in metrics else "" for metrics in result.metrics.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    baselines = {
        "table": "*table* gives each grey level its mean colour in the training images",
        "grey": "*grey* is the grey photo unchanged",
    }
    listed = "; ".join(text for name, text in baselines.items() if name in result.metrics)
    return "\n".join(lines) + (
        f"\n\nCompared with the photo's own colours. Lower CIEDE2000 is better. Baselines: {listed}."
    )


def _about(card: Card) -> str:
    return (
        f"**{card.name}** {card.does}. It was trained on {card.data}. Validation images: {card.metric}; "
        f"best baseline: {card.baseline}.\n\n{card.note}"
    )


def _examples(folder: Path) -> list[list[str]]:
    """Write drawn images to a folder. Return rows of an image and the model for it."""
    faces, horses = draw_faces(2, 160), draw_horses(2, 160)
    drawings = [
        ("faces", faces[0]),
        ("faces", faces[1]),
        ("horses", horses[0]),
        ("horses_x4", horses[1, :, ::2, ::2]),
    ]
    rows = []
    for number, (model, pixels) in enumerate(drawings):
        path = folder / f"drawing_{number}.png"
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
        rows.append([str(path), model])
    return rows
