"""Colours that readers with a colour vision deficiency can tell apart: for a field's values, and for the measure."""

from typing import NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, LinearSegmentedColormap, ListedColormap, LogNorm, Normalize

from jaxsocial.sweep.report.fields import Field, number_labels
from jaxsocial.sweep.report.margins import limits

FEW = matplotlib.color_sequences["petroff10"]
"""Colours of categories, while there are enough of them."""
NEAR = 0.05
"""The share of a colour bar within which two ticks would overlap."""
EMPTY = "0.94"
"""The colour of cells without a setting."""
MISSING = (0.7, 0.7, 0.7, 1.0)
CELLS = matplotlib.colormaps["viridis"]
# The palest colours of viridis cannot be seen as a thin line on white.
LINES = LinearSegmentedColormap.from_list(
    "viridis, without its palest", CELLS.resampled(256)(np.linspace(0, 0.92, 256))
)


class Palette(NamedTuple):
    """A field's values as colours."""

    field: Field
    colours: Float[np.ndarray, "settings 4"]
    """RGBA, in the order of the field's values."""
    scale: ScalarMappable

    def explain(self, axes: Axes) -> None:
        """Draws a colour bar beside the axes; its ticks are the field's values if there are few."""
        bar = axes.figure.colorbar(self.scale, ax=axes, pad=0.02)
        bar.set_label(math_free(self.field.label))
        bar.outline.set_visible(False)
        if self.field.categories:
            names = [math_free(name) for name in self.field.categories]
            bar.set_ticks(range(len(names)), labels=names, fontsize="small" if len(names) <= len(FEW) else "x-small")
            bar.ax.tick_params(length=0)
            bar.minorticks_off()
            return
        numbers = np.unique(self.field.values.dropna())
        places = np.asarray(self.scale.norm(numbers))
        if len(numbers) <= len(FEW) and (np.diff(places) > NEAR).all():
            bar.set_ticks(numbers.tolist(), labels=number_labels(numbers, 3))
            bar.minorticks_off()


def palette(field: Field) -> Palette:
    """Returns a colour scale for numbers, and distinct colours for a few categories."""
    positions = field.positions.to_numpy()
    if field.categories:
        count = len(field.categories)
        colours = ListedColormap(FEW[:count] if count <= len(FEW) else LINES(np.linspace(0, 1, count)))
        scale = ScalarMappable(BoundaryNorm(np.arange(count + 1) - 0.5, count), colours)
    else:
        norm = LogNorm if field.logarithmic else Normalize
        scale = ScalarMappable(norm(np.nanmin(positions), np.nanmax(positions)), LINES.with_extremes(bad=MISSING))
    return Palette(field, np.asarray(scale.to_rgba(np.ma.masked_invalid(positions))), scale)


def measure_colours(values, larger_is_better: bool, colours: Colormap = LINES) -> tuple[Colormap, Normalize]:
    """Returns the colours of a measure, the better the darker, and their scale.

    Args:
      values: the measure; see `margins.limits`.
      larger_is_better: its direction.
      colours: from dark to pale.
    """
    return colours.reversed() if larger_is_better else colours, Normalize(*limits(values, larger_is_better))


def math_free(text: str) -> str:
    """Returns a text in which matplotlib reads no formula."""
    return text.replace("$", r"\$")
