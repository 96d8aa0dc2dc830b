"""Colourization by a table from grey to colour: no network, one pass over the training images."""

import math
from collections.abc import Iterable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Statistic = Literal["mean", "histogram", "margin"]


class GreyLookup(nn.Module):
    """For each grey level, what the training images have where they have that grey.

    A new table is empty (NaN) until :meth:`fit` or a state dict fills it. Grey levels that the training images
    lack, and have little of, are drawn towards a prior by ``smoothing``: the grey itself for ``mean`` and
    ``margin``, the histogram of all pixels for ``histogram``; with several bands, the prior of a band is the
    level's own value over all bands.

    Args:
        channels: 3 for colours; for ``histogram``, the number of palette colours.
        statistic: ``mean``: the mean colour, which has the least squared error. ``histogram``: the logarithm of
            each palette colour's share, which has the least cross-entropy. ``margin``: channel by channel, the
            value with most of the training values less than ``margin`` of 256 levels away, which has the best
            margin accuracy.
        levels: Number of grey levels that are told apart.
        bands: Number of bands of image rows that are told apart, of one height each; 1 looks at the grey alone.
        smoothing: How many pixels the prior counts for, above 0.
        margin: For ``margin``, of 256 levels.

    Raises:
        ValueError: If an argument is out of range.
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
        """Whether the table has been learned."""
        return not bool(self.table.isnan().any())

    def forward(self, grey: Tensor) -> Tensor:
        """Look every pixel up.

        Args:
            grey: Float [B, 1, H, W] in [0, 1].

        Returns:
            Float [B, channels, H, W]: colours in [0, 1], or logarithms of shares for ``histogram``.
        """
        return F.embedding(self._keys(grey), self.table.flatten(0, 1)).permute(0, 3, 1, 2)

    def fit(self, pairs: Iterable[tuple[Tensor, Tensor]], greys: Tensor | None = None) -> None:
        """Fill the table from training images, in one pass.

        Args:
            pairs: Batches of grey, float [B, 1, H, W] in [0, 1], and what belongs to it: colours, float
                [B, channels, H, W] in [0, 1], or for ``histogram`` palette colours by number, int64 [B, H, W].
            greys: For ``mean`` and ``margin``, what belongs to a grey pixel of each level, float [levels,
                channels], where colours are not RGB in [0, 1]; the grey itself by default.

        Raises:
            ValueError: If there are no images, or if what belongs to them does not fit the statistic or
                channels.
        """
        # For each key and channel: the count and the sum, or the count of each of the channel's 256 values.
        bins = 256 if self.statistic == "margin" else 1
        keys = self.bands * self.levels
        size = keys * self.channels * bins
        counts = torch.zeros(keys, dtype=torch.float64)
        sums = torch.zeros(size, dtype=torch.float64)
        for grey, target in pairs:
            self._check(target)
            # Counted on the CPU: some devices have no float64, others count weights in no fixed order.
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
        self.table.copy_(self._finished(counts, sums.view(shape), greys))

    def _check(self, target: Tensor) -> None:
        if self.statistic == "histogram":
            if target.is_floating_point() or target.ndim != 3:
                raise ValueError(
                    f"statistic: expected mean or margin for colours {list(target.shape)}, found histogram, which "
                    "counts palette colours by number"
                )
            if int(target.max()) >= self.channels:
                raise ValueError(
                    f"channels: expected one for each palette colour, found {self.channels} and colour number "
                    f"{int(target.max())}"
                )
            return
        if target.ndim != 4 or target.shape[1] != self.channels:
            raise ValueError(
                f"statistic and channels: expected {self.statistic} with colours [B, {self.channels}, H, W], "
                f"found {list(target.shape)}; for palette colours by number the statistic is histogram"
            )
        if self.statistic == "margin" and not ((target >= 0) & (target <= 1)).all():
            raise ValueError("statistic: expected colours in [0, 1] for margin, found values outside")

    def _finished(self, counts: Tensor, sums: Tensor, greys: Tensor | None) -> Tensor:
        """The table [bands, levels, channels] from counts [bands, levels, 1, 1] and sums [..., channels, bins]."""
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
            prior = self._drawn_to(prior, counts.sum(dim=0), sums.sum(dim=0))
        probabilities = self._drawn_to(prior, counts, sums)
        if self.statistic == "histogram":
            return probabilities[..., 0].log()
        return self._best(probabilities) if self.statistic == "margin" else probabilities[..., 0]

    def _drawn_to(self, prior: Tensor, counts: Tensor, sums: Tensor) -> Tensor:
        return (sums + self.smoothing * prior) / (counts + self.smoothing)

    def _best(self, probabilities: Tensor) -> Tensor:
        """The value with the largest share around it, of equals the nearest to the mean, of [..., 256]."""
        width = 2 * self.margin - 1
        padded = F.pad(probabilities, (self.margin, self.margin - 1)).cumsum(dim=-1)
        around = padded[..., width:] - padded[..., :-width]
        best = around >= around.amax(dim=-1, keepdim=True) - 1e-12
        values = torch.arange(256, dtype=torch.float64)
        mean = (probabilities * values).sum(dim=-1, keepdim=True) / probabilities.sum(dim=-1, keepdim=True)
        return (values - mean).abs().masked_fill(~best, math.inf).argmin(dim=-1) / 255

    def _keys(self, grey: Tensor) -> Tensor:
        """Which row of the flat table each pixel has: int64 [B, H, W]."""
        level = (grey[:, 0] * (self.levels - 1)).round().long().clamp(0, self.levels - 1)
        if self.bands == 1:
            return level
        height = grey.shape[-2]
        band = torch.arange(height, device=grey.device) * self.bands // height
        return band[:, None] * self.levels + level
