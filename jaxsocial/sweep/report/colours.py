"""Colours that also those see who see few: of a field's values, and of how well settings did."""

from typing import NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, LinearSegmentedColormap, ListedColormap, LogNorm, Normalize

from jaxsocial.sweep.report.fields import Field
from jaxsocial.sweep.report.margins import limits

FEW = matplotlib.color_sequences["petroff10"]
"""Of categories, while there are enough of them."""
NOWHERE = "0.94"
"""Where nothing is."""
MISSING = (0.7, 0.7, 0.7, 1.0)


def _without_palest(name: str) -> LinearSegmentedColormap:
    """A colour map whose every colour can be seen as a thin line on white."""
    return LinearSegmentedColormap.from_list(
        f"{name}, without its palest", matplotlib.colormaps[name].resampled(256)(np.linspace(0, 0.92, 256))
    )


LINES = _without_palest("viridis")


class Palette(NamedTuple):
    """A field's values as colours."""

    field: Field
    colours: Float[np.ndarray, "settings 4"]
    """In the order of the field's values."""
    scale: ScalarMappable

    def explain(self, axes: Axes) -> None:
        """Beside the axes: which colour is which value."""
        bar = axes.figure.colorbar(self.scale, ax=axes, pad=0.02)
        bar.set_label(math_free(self.field.label))
        bar.outline.set_visible(False)
        if self.field.categories:
            names = [math_free(name) for name in self.field.categories]
            bar.set_ticks(range(len(names)), labels=names, fontsize="small" if len(names) <= len(FEW) else "x-small")
            bar.ax.tick_params(length=0)
            bar.minorticks_off()


def palette(field: Field) -> Palette:
    """A scale for numbers; for a few categories colours far from one another."""
    positions = field.positions.to_numpy()
    if field.categories:
        count = len(field.categories)
        colours = ListedColormap(FEW[:count] if count <= len(FEW) else LINES(np.linspace(0, 1, count)))
        scale = ScalarMappable(BoundaryNorm(np.arange(count + 1) - 0.5, count), colours)
    else:
        norm = LogNorm if field.logarithmic else Normalize
        scale = ScalarMappable(norm(np.nanmin(positions), np.nanmax(positions)), LINES.with_extremes(bad=MISSING))
    return Palette(field, np.asarray(scale.to_rgba(np.ma.masked_invalid(positions))), scale)


def cells_of_measure(values, larger_is_better: bool) -> tuple[Colormap, Normalize]:
    """The better the darker."""
    colours = matplotlib.colormaps["viridis_r" if larger_is_better else "viridis"]
    return colours, Normalize(*limits(values, larger_is_better))


def lines_of_measure(values, larger_is_better: bool) -> tuple[Colormap, Normalize]:
    """The same without what is too pale for lines."""
    return LINES.reversed() if larger_is_better else LINES, Normalize(*limits(values, larger_is_better))


def math_free(text: str) -> str:
    """A text as it stands: matplotlib would read formulas between dollars."""
    return text.replace("$", r"\$")
