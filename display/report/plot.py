"""The report's plot: how hot each specimen is beside the hottest, on a logarithmic scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log10
from typing import Final

WIDTH, ROW, LABELS, BOTTOM = 460.0, 22.0, 130.0, 30.0
"""The drawing's measures, in its own units."""

LEAST: Final = 0.001
"""Left end of the scale; what is less is drawn there."""

TICKS: Final = ((0.001, "0.1 %"), (0.01, "1 %"), (0.1, "10 %"), (1.0, "100 %"))

LONGEST_NAME = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A specimen's share of the hottest, with limits; None for a limit that is not known."""

    name: str
    best: float | None
    lower: float
    upper: float | None


def draw_shares(shares: Sequence[Share]) -> bytes:
    """Draw as SVG a bar from limit to limit for each, a dot at the best value, and the line of the tenth."""
    height = ROW * len(shares) + BOTTOM
    parts = []
    for share, label in TICKS:
        colour, width = ("#c2410c", 1.6) if share == 0.1 else ("#ccc", 0.6)
        x, y = _x(share), ROW * len(shares)
        parts.append(f'<path d="M{x:.1f} 0V{y:.1f}" stroke="{colour}" stroke-width="{width}"/>')
        parts.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{label}</text>')
    for index, each in enumerate(shares):
        y = ROW * (index + 0.5)
        name = each.name if len(each.name) <= LONGEST_NAME else f"{each.name[: LONGEST_NAME - 1]}\u2026"
        low, high = _x(each.lower), _x(1.0 if each.upper is None else each.upper)
        parts.append(f'<text x="0" y="{y + 4:.1f}">{escape(name)}</text>')
        parts.append(f'<path d="M{low:.1f} {y:.1f}H{high:.1f}" stroke="#1d4ed8" stroke-width="3"/>')
        if each.best is not None:
            parts.append(f'<circle cx="{_x(each.best):.1f}" cy="{y:.1f}" r="4.5" fill="#1d4ed8"/>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" '
        'font-family="Libertinus Serif, serif" font-size="12" fill="#111">'
        f"{''.join(parts)}</svg>"
    ).encode()


def _x(share: float) -> float:
    along = (log10(min(max(share, LEAST), 1.0)) - log10(LEAST)) / -log10(LEAST)
    return LABELS + along * (WIDTH - LABELS - 24.0)
