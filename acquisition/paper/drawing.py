"""How a figure is drawn that stands on paper or on a page: the same bytes each time."""

from typing import Any, Final

COLOURS: Final = ("#0b6fa4", "#c2570c", "#3f7d3a", "#7a4ea3", "#555555", "#8a6d00")
"""Of what is told apart, in this order."""

STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "radionav",
    "svg.fonttype": "none",  # words stay words, to be read aloud and searched
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "figure.facecolor": "white",
}
"""Settings of matplotlib."""
