"""The settings of a conversion of photos, which a Ray cluster also receives, and the function made from them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from imgcolor.pipelines import PhotoColourizer, Upscaler, load
from imgcolor.pipelines.colourizer import Scale
from imgcolor.pipelines.hints import Hint
from imgcolor.pipelines.photo_conversion import convert_photos
from imgcolor.pipelines.previews import colourized_previews, upscaled_previews
from imgcolor.utils.errors import ImgcolorError


@dataclass(frozen=True)
class PhotoSettings:
    """The arguments of ``imgcolor colourize`` or ``upscale`` that change the results.

    Attributes:
        command: ``colourize`` or ``upscale``.
        model: The name of a model, or the path of a checkpoint.
        allow_import: See :func:`imgcolor.load`.
        keep_metadata: Whether the results have the metadata of the photos.
        scale: ``working`` or ``native``.
        hints: Known colours.
        saturation: Factor of the predicted colours; None for that of the model.
        self_ensemble: See :attr:`imgcolor.pipelines.Upscaler.self_ensemble`.
    """

    command: str
    model: str
    allow_import: tuple[str, ...] = ()
    keep_metadata: bool = True
    scale: Scale = "working"
    hints: tuple[Hint, ...] = ()
    saturation: float | None = None
    self_ensemble: bool = False

    def load(self) -> Callable[..., None]:
        """Load the model.

        Returns:
            :func:`~imgcolor.pipelines.photo_conversion.convert_photos`, to be called with the photos, ``conversion``
            and, if needed, ``strict``, ``previews`` and ``advance``.

        Raises:
            ImgcolorError: If the model cannot be loaded, or is not for this command or these settings.
        """
        pipeline = load(self.model, self.allow_import)
        found = "upscale" if isinstance(pipeline, Upscaler) else "colourize"
        if found != self.command:
            raise ImgcolorError(
                f"--model {self.model}: expected a model for `imgcolor {self.command}`, found one for "
                f"`imgcolor {found}`"
            )
        if self.hints and not isinstance(pipeline, PhotoColourizer):
            raise ImgcolorError(
                f"--hint: expected a model that uses hints, such as photos, found {self.model}"
            )
        if isinstance(pipeline, PhotoColourizer) and self.scale != "working":
            raise ImgcolorError(f"--scale: expected working with the model {self.model}, found {self.scale}")
        if isinstance(pipeline, Upscaler):
            factor = pipeline.scale_factor
            pipeline.self_ensemble = self.self_ensemble
            return partial(
                convert_photos,
                convert=pipeline.upscale_batch,
                scale_factor=factor,
                keep_metadata=self.keep_metadata,
                make_previews=partial(upscaled_previews, scale_factor=factor),
            )
        return partial(
            convert_photos,
            convert=lambda pixels: pipeline.colourize_batch(
                pipeline.to_grey(pixels), self.scale, self.hints, self.saturation
            ),
            keep_metadata=self.keep_metadata,
            make_previews=partial(colourized_previews, to_grey=pipeline.to_grey),
        )
