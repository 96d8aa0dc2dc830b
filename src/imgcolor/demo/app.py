"""The page: what is on it, and what happens when a photo or a model is chosen. Needs Gradio."""

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr
from fastapi import Depends, HTTPException, Request
from PIL import Image

from imgcolor.data.sources.drawn_faces import draw_faces
from imgcolor.data.sources.drawn_horses import draw_horses
from imgcolor.demo.actions import METRICS, Trial, try_out
from imgcolor.pipelines import Model
from imgcolor.pretrained import Card, cards
from imgcolor.utils.errors import ImgcolorError

MAX_BYTES = 40 * 2**20
"""Size up to which files are taken."""

_HINT = "Drop a photo, or choose a drawing, and what the model makes of it comes here."

_CAUTIONS = {
    "colourize": "These colours are likely ones, not the true ones: a uniform, a skin tone or a flag is a guess, "
    "and no evidence of anything. The models are small, and know faces and horses.",
    "upscale": "These details are likely ones, not the true ones. The model is small, and undoes averaging: what "
    "was made smaller otherwise, or saved as JPEG, gets false edges.",
}
"""What to think of results, by the command that gives the same."""

_CSS = """
.gradio-container { max-width: 1180px !important; margin: auto; }
.notice {
  margin: 0; padding: 0.7em 1em; border-radius: var(--radius-lg); background: var(--block-background-fill);
}
.fault { border-left: 4px solid var(--error-icon-color); }
.figures table { width: 100%; font-size: 0.9em; font-variant-numeric: tabular-nums; }
.figures :is(th, td) { padding: 0.4em 0.5em !important; overflow-wrap: normal; word-break: normal; }
"""


def build(models: Mapping[str, Model], results: Path, examples: Path) -> gr.Blocks:
    """The page.

    Args:
        models: Name to model, of those that come with the package.
        results: Gradio's folder for uploads, which it clears of old files. What is shown goes there too.
        examples: A folder for drawings.
    """
    gr.set_static_paths(examples)  # from there they are served, and never cleared away
    described = {name: card for name, card in cards().items() if name in models}

    def show(upload: dict[str, Any] | None, name: str) -> list[Any]:
        if name not in models:
            raise gr.Error(f"expected one of {', '.join(models)}, found {name!r}")
        if upload is None:
            return _nothing(_HINT)
        path = Path(upload["path"])
        try:
            trial = try_out(path, models[name])
        except ImgcolorError as error:
            return _nothing(str(error), fault=True)
        place = results / uuid4().hex
        before = _write(trial.before, place / "before.png")
        after = _write(trial.after, place / f"{path.stem}_{name}.png")
        truth = _write(trial.truth, place / "truth.png") if trial.truth else None
        start = "bicubic enlargement" if models[name].scale_factor else "grey"
        return [
            gr.HTML(visible=False),
            gr.Column(visible=True),
            gr.ImageSlider((before, after), label=f"Left: {start}. Right: {name}."),
            gr.DownloadButton(_download(trial), after),
            _remarks(trial, models[name]),
            gr.Image(truth, visible=truth is not None),
            gr.Markdown(_table(trial), visible=bool(trial.metrics)),
            _about(described[name]),
        ]

    page = gr.Blocks(
        title="imgcolor", analytics_enabled=False, delete_cache=(600, 3600)
    )  # looks every 10 minutes
    with page:
        gr.Markdown(
            "# imgcolor\nGive a photo colours, or enlarge it. It stays on the machine that this page is from."
        )
        with gr.Row():
            with gr.Column(scale=2):
                photo = gr.Image(
                    label="Photo",
                    alt_text="The photo as it was dropped",  # what stands for a TIFF file, which few browsers show
                    sources=["upload", "clipboard"],
                    height=260,
                )
                choices = [(f"{card.name}: {card.does}", name) for name, card in described.items()]
                model = gr.Radio(choices, value=choices[0][1], label="Model")
                gr.Examples(_examples(examples), [photo, model], label="Drawings to try", visible_columns=[0])
            with gr.Column(scale=3):
                message = gr.HTML(_notice(_HINT), padding=False)
                with gr.Column(visible=False) as shown:
                    slider = gr.ImageSlider(interactive=False, buttons=["fullscreen"], format="png")
                    download = gr.DownloadButton(variant="primary")
                    remarks = gr.Markdown()
                    truth = gr.Image(
                        label="The photo's own colours", interactive=False, buttons=[], height=300
                    )
                    metrics = gr.Markdown(elem_classes="figures")
                    with gr.Accordion("About this model", open=False):
                        about = gr.Markdown()
        gr.on(
            [photo.change, model.change],
            show,
            [photo, model],
            [message, shown, slider, download, remarks, truth, metrics, about],
            preprocess=False,  # Gradio's own reading knows neither 16 bits nor bad files
            trigger_mode="always_last",
            concurrency_limit=1,
            api_visibility="undocumented",
        )
    return page


# Of these fonts Gradio has only some letters in the weight 600.
_FONTS = (gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif")


def serve(page: gr.Blocks, host: str, port: int | None) -> str:
    """Start the server in threads of its own; gives its address."""
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
    """Refuse to fetch images of other hosts, which Gradio does for anyone who asks."""
    kind = request.headers.get("content-type", "")
    body = b"" if kind.startswith("multipart/") else await request.body()
    if "=http" in request.url.path or (body and _names_a_url(json.loads(body))):
        raise HTTPException(403, "expected a file that was uploaded here, found an address")


def _names_a_url(value: Any) -> bool:
    if isinstance(value, dict):
        path = value.get("path")
        return (isinstance(path, str) and "://" in path) or any(map(_names_a_url, value.values()))
    return isinstance(value, list) and any(map(_names_a_url, value))


def _nothing(notice: str, fault: bool = False) -> list[Any]:
    """No results, and a notice in their place."""
    return [gr.HTML(_notice(notice, fault), visible=True), gr.Column(visible=False), *[gr.skip()] * 6]


def _notice(text: str, fault: bool = False) -> str:
    kind = 'class="notice fault" role="alert"' if fault else 'class="notice"'
    return f"<p {kind}>{html.escape(text)}</p>"


def _write(image: Image.Image, path: Path) -> str:
    path.parent.mkdir(exist_ok=True)
    image.save(path, compress_level=3)
    return str(path)


def _download(trial: Trial) -> str:
    return f"Download the result (PNG, {trial.after.width}×{trial.after.height})"


def _remarks(trial: Trial, model: Model) -> str:
    command = "upscale" if model.scale_factor else "colourize"
    if trial.original_size is None:
        return _CAUTIONS[command]
    width, height = trial.original_size
    return (
        f"The photo, {width}×{height}, was made smaller first; `imgcolor {command}` takes it at full size.\n\n"
        f"{_CAUTIONS[command]}"
    )


def _table(trial: Trial) -> str:
    lines = [f"| | {' | '.join(trial.metrics)} |", "|---" + "|---:" * len(trial.metrics) + "|"]
    for name in METRICS:
        cells = [f"{metrics[name]:.3g}" if name in metrics else "" for metrics in trial.metrics.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    baselines = {
        "table": "*table* gives each grey the mean colour that it had in the training images",
        "grey": "*grey* is the grey as it is",
    }
    told = "; ".join(text for name, text in baselines.items() if name in trial.metrics)
    return "\n".join(lines) + (
        f"\n\nAgainst the photo's own colours; of CIEDE2000 less is better. Without a network: {told}."
    )


def _about(card: Card) -> str:
    return (
        f"**{card.name}** {card.does}; trained on {card.data}. On validation images: {card.metric}; "
        f"without a network: {card.baseline}.\n\n{card.note}"
    )


def _examples(folder: Path) -> list[list[str]]:
    """Drawn images, each with the model that it is for."""
    faces, horses = draw_faces(2, 160), draw_horses(2, 160)
    drawings = [
        ("faces", faces[0]),
        ("faces", faces[1]),
        ("horses", horses[0]),
        ("superres", horses[1, :, ::2, ::2]),
    ]
    rows = []
    for number, (model, pixels) in enumerate(drawings):
        path = folder / f"drawing_{number}.png"
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
        rows.append([str(path), model])
    return rows
