"""Bar charts as SVG, without a library: a few groups of horizontal bars with their figures. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

# A label has room for 40 characters, a figure for 22, of a wide font.
_WIDTH, _LABEL, _FIGURE, _BAR, _GAP, _TITLE = 940, 320, 180, 20, 6, 34
_COLOURS = {"project": "#2f6fb5", "stock": "#b5762f", "other": "#8a8f98"}


@dataclass(frozen=True)
class Bar:
    """kind: a key of _COLOURS. text: the figure as it is shown; target: where a line is drawn, if anywhere."""

    label: str
    value: float
    text: str
    kind: str
    target: float | None = None


@dataclass(frozen=True)
class Panel:
    title: str
    bars: Sequence[Bar]


def svg(panels: Sequence[Panel]) -> str:
    """The panels below each other; each has a scale of its own that begins at zero."""
    height = sum(_TITLE + len(panel.bars) * (_BAR + _GAP) + 12 for panel in panels) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    top = 8
    for panel in panels:
        parts.append(f'<text x="8" y="{top + 20}" font-weight="600" fill="#1f2328">{escape(panel.title)}</text>')
        top += _TITLE
        largest = max(max(bar.value, bar.target or 0) for bar in panel.bars) or 1.0
        scale = (_WIDTH - _LABEL - _FIGURE) / largest
        for bar in panel.bars:
            length = max(1.0, bar.value * scale)
            middle = top + _BAR - 5
            parts.append(
                f'<text x="{_LABEL - 8}" y="{middle}" text-anchor="end" fill="#1f2328">{escape(bar.label)}</text>'
            )
            parts.append(
                f'<rect x="{_LABEL}" y="{top}" width="{length:.1f}" height="{_BAR}" fill="{_COLOURS[bar.kind]}"/>'
            )
            parts.append(f'<text x="{_LABEL + length + 6:.1f}" y="{middle}" fill="#1f2328">{escape(bar.text)}</text>')
            if bar.target is not None:
                at = _LABEL + bar.target * scale
                parts.append(
                    f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top - 3}" y2="{top + _BAR + 3}" stroke="#c4302b" '
                    'stroke-width="2"/>'
                )
            top += _BAR + _GAP
        top += 12
    parts.append("</svg>")
    return "\n".join(parts) + "\n"
