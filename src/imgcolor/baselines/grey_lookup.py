"""Colourization by a lookup table from grey level to colour."""

import math
from collections.abc import Iterable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Statistic = Literal["mean", "histogram", "margin"]


class GreyLookup(nn.Module):
    """Look up each pixel's colour by its grey level, and optionally by its row.

    The table is NaN until :meth:`fit`, which takes one pass over the training images, or a state dictionary sets
    it. With few training pixels of a grey level, its entry is close to a prior: the grey itself for ``mean`` and
    ``margin``, the histogram of all pixels for ``histogram``. With several bands, the prior of a band's entry is
    the entry of that grey level over all bands.

    Args:
        channels: 3 for colours; for ``histogram``, the number of palette colours.
        statistic: What the table holds for a grey level.
            ``mean``: the mean colour, which minimizes the squared error.
            ``histogram``: the logarithm of each palette colour's proportion, which minimizes the cross-entropy.
            ``margin``: for each channel, the value with the most training values less than ``margin`` of 256
            levels away, which maximizes the margin accuracy.
        levels: Number of grey levels.
        bands: Number of horizontal bands of the image with a table each, all of the same height.
        smoothing: Weight of the prior, as a number of pixels, above 0.
        margin: For ``margin``, in levels of 256.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> table = GreyLookup()
        >>> grey = torch.full((1, 1, 10, 10), 0.5)
        >>> red = torch.tensor([0.8, 0.2, 0.2]).view(1, 3, 1, 1).expand(1, 3, 10, 10)
        >>> table.fit([(grey, red)])
        >>> table(grey)[0, :, 0, 0].round(decimals=2).tolist()
        [0.800000011920929, 0.20000000298023224, 0.20000000298023224]
    """

    table: Tensor

    def __init__(
        self,
        channels: int = 3,
        statistic: Statistic = "mean",
        levels: int = 256,
        bands: int = 1,
        smoothing: float = 1.0,
        margin: int = 12,
    ) -> None:
        super().__init__()
        if statistic not in ("mean", "histogram", "margin"):
            raise ValueError(f"statistic: expected mean, histogram or margin, found {statistic!r}")
        for name, value, least in (
            ("channels", channels, 1),
            ("levels", levels, 2),
            ("bands", bands, 1),
            ("margin", margin, 1),
        ):
            if value < least:
                raise ValueError(f"{name}: expected at least {least}, found {value}")
        if not smoothing > 0:
            raise ValueError(f"smoothing: expected a number above 0, found {smoothing}")
        self.channels = channels
        self.statistic = statistic
        self.levels = levels
        self.bands = bands
        self.smoothing = smoothing
        self.margin = margin
        self.register_buffer("table", torch.full((bands, levels, channels), math.nan))

    @property
    def is_fitted(self) -> bool:
        """Whether the table has values."""
        return not bool(self.table.isnan().any())

    def forward(self, grey: Tensor) -> Tensor:
        """Look up every pixel.

        Args:
            grey: Float [B, 1, H, W] in [0, 1].

        Returns:
            Float [B, channels, H, W]: colours in [0, 1], or logarithms of probabilities for ``histogram``.
        """
        return F.embedding(self._keys(grey), self.table.flatten(0, 1)).permute(0, 3, 1, 2)

    def fit(self, pairs: Iterable[tuple[Tensor, Tensor]], greys: Tensor | None = None) -> None:
        """Compute the table from training images, in one pass.

        Args:
            pairs: Batches of grey images, float [B, 1, H, W] in [0, 1], with their targets: colours, float
                [B, channels, H, W] in [0, 1], or for ``histogram`` indices of palette colours, int64 [B, H, W].
            greys: For ``mean`` and ``margin``, the target of a grey pixel of each level, float [levels, channels],
                where targets are not RGB in [0, 1]; by default the grey itself.

        Raises:
            ValueError: If there are no images, or the targets do not fit ``statistic`` or ``channels``.
        """
        # For each key and channel: the sum of the values or, for ``margin``, the count of each of the 256 values.
        bins = 256 if self.statistic == "margin" else 1
        keys = self.bands * self.levels
        size = keys * self.channels * bins
        counts = torch.zeros(keys, dtype=torch.float64)
        sums = torch.zeros(size, dtype=torch.float64)
        for grey, target in pairs:
            self._check_target(target)
            # On the CPU: some devices have no float64, others add weights in no fixed order.
            key, target = self._keys(grey).flatten().cpu(), target.cpu()
            counts += torch.bincount(key, minlength=keys)
            if self.statistic == "histogram":
                sums += torch.bincount(key * self.channels + target.flatten(), minlength=size)
                continue
            for channel in range(self.channels):
                values = target[:, channel].flatten().double()
                place = key * self.channels + channel
                if self.statistic == "margin":
                    place = place * bins + (values * 255).round().long().clamp(0, 255)
                    sums += torch.bincount(place, minlength=size)
                else:
                    sums += torch.bincount(place, values, minlength=size)
        if not counts.any():
            raise ValueError("pairs: expected training images, found none")
        shape = (self.bands, self.levels, self.channels, bins)
        counts = counts.view(self.bands, self.levels, 1, 1)
        self.table.copy_(self._estimate(counts, sums.view(shape), greys))

    def _check_target(self, target: Tensor) -> None:
        if self.statistic == "histogram":
            if target.is_floating_point() or target.ndim != 3:
                raise ValueError(
                    f"statistic: expected mean or margin for colours {list(target.shape)}, found histogram, which "
                    "takes indices of palette colours"
                )
            if int(target.max()) >= self.channels:
                raise ValueError(
                    f"channels: expected one for each palette colour, found {self.channels} and the colour index "
                    f"{int(target.max())}"
                )
            return
        if target.ndim != 4 or target.shape[1] != self.channels:
            raise ValueError(
                f"statistic and channels: expected {self.statistic} with colours [B, {self.channels}, H, W], "
                f"found {list(target.shape)}; for indices of palette colours the statistic is histogram"
            )
        if self.statistic == "margin" and not ((target >= 0) & (target <= 1)).all():
            raise ValueError("statistic: expected colours in [0, 1] for margin, found values outside")

    def _estimate(self, counts: Tensor, sums: Tensor, greys: Tensor | None) -> Tensor:
        """Return the table [bands, levels, channels] from counts [bands, levels, 1, 1] and sums [..., bins]."""
        grey = torch.linspace(0, 1, self.levels, dtype=torch.float64)[:, None, None]
        if greys is not None and self.statistic != "histogram":
            grey = greys.double().cpu()[..., None]
        if self.statistic == "histogram":
            prior = (sums.sum(dim=(0, 1)) + 1 / self.channels) / (counts.sum() + 1)
        elif self.statistic == "margin":
            prior = F.one_hot((grey * 255).round().long()[..., 0], 256).double()
        else:
            prior = grey
        if self.bands > 1:
            prior = self._smoothed(prior, counts.sum(dim=0), sums.sum(dim=0))
        values = self._smoothed(prior, counts, sums)
        if self.statistic == "margin":
            return self._best_values(values)
        return values[..., 0].log() if self.statistic == "histogram" else values[..., 0]

    def _smoothed(self, prior: Tensor, counts: Tensor, sums: Tensor) -> Tensor:
        """Return the mean of the training values and the prior, which counts as ``smoothing`` pixels."""
        return (sums + self.smoothing * prior) / (counts + self.smoothing)

    def _best_values(self, probabilities: Tensor) -> Tensor:
        """Return the value with the highest probability within the margin of it, of [..., 256].

        Of several such values, it is the one nearest to the mean.

        Args:
            probabilities: Of each of the 256 levels: float [..., 256].
        """
        width = 2 * self.margin - 1
        padded = F.pad(probabilities, (self.margin, self.margin - 1)).cumsum(dim=-1)
        around = padded[..., width:] - padded[..., :-width]
        best = around >= around.amax(dim=-1, keepdim=True) - 1e-12
        values = torch.arange(256, dtype=torch.float64)
        mean = (probabilities * values).sum(dim=-1, keepdim=True) / probabilities.sum(dim=-1, keepdim=True)
        return (values - mean).abs().masked_fill(~best, math.inf).argmin(dim=-1) / 255

    def _keys(self, grey: Tensor) -> Tensor:
        """Return each pixel's index in the flattened table: int64 [B, H, W]."""
        level = (grey[:, 0] * (self.levels - 1)).round().long().clamp(0, self.levels - 1)
        if self.bands == 1:
            return level
        height = grey.shape[-2]
        band = torch.arange(height, device=grey.device) * self.bands // height
        return band[:, None] * self.levels + level
