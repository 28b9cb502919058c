"""A line chart over time as SVG: small, without a library of a hundred megabytes in the controller's image. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from xml.sax import saxutils

from lindorm_import.api.text import printable

WIDTH, HEIGHT = 860, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 20, 46, 40
_TICKS = 4


@dataclass(frozen=True)
class Series:
    """One line. steps: each value holds for the interval that ends at its time."""

    name: str
    colour: str
    points: Sequence[tuple[datetime, float]]
    steps: bool = False


def svg(title: str, start: datetime, series: Sequence[Series], limit: tuple[str, float] | None = None) -> str:
    """The chart. start: the left edge; limit: a dashed line with its name, shown where it is within reach."""
    end = max((at for s in series for at, _ in s.points), default=start)
    whole = max((end - start).total_seconds(), 1.0)
    highest = max((value for s in series for _, value in s.points), default=0.0)
    if limit and limit[1] <= 2 * highest:
        highest = max(highest, limit[1])
    top = _round_up(highest)

    def x(at: datetime) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (at - start).total_seconds() / whole

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / top

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="18" font-size="14" font-weight="bold" fill="#222">{escape(title)}</text>',
    ]
    for tick in range(_TICKS + 1):
        value, at = top * tick / _TICKS, start + timedelta(seconds=whole * tick / _TICKS)
        out.append(f'<path d="M{_LEFT} {y(value):.1f}H{WIDTH - _RIGHT}" stroke="#e3e3e3"/>')
        out.append(f'<text x="{_LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end" fill="#555">{value:,.0f}</text>')
        anchor = "start" if tick == 0 else "end" if tick == _TICKS else "middle"
        label = f"{at:%H:%M:%S}" if whole < 86_400 else f"{at:%m-%d %H:%M}"
        out.append(f'<text x="{x(at):.1f}" y="{HEIGHT - 16}" text-anchor="{anchor}" fill="#555">{label}</text>')
    if limit and limit[1] <= top:
        out.append(f'<path d="M{_LEFT} {y(limit[1]):.1f}H{WIDTH - _RIGHT}" stroke="#b22" stroke-dasharray="6 4"/>')
        out += _legend(len(series), limit[0], 'stroke="#b22" stroke-dasharray="6 4"')
    for number, line in enumerate(series):
        out.append(f'<path d="{_path(line, start, x, y)}" fill="none" stroke="{line.colour}" stroke-width="2"/>')
        out += _legend(number, line.name, f'stroke="{line.colour}" stroke-width="3"')
    return "\n".join([*out, "</svg>", ""])


def _legend(number: int, name: str, stroke: str) -> list[str]:
    """Above the lines, where none of them can run through it."""
    left = _LEFT + 160 * number
    return [f'<path d="M{left} 32h18" {stroke}/>', f'<text x="{left + 24}" y="36" fill="#222">{escape(name)}</text>']


def escape(text: str) -> str:
    """As XML holds it, which knows no control characters (https://www.w3.org/TR/xml/#charsets)."""
    return saxutils.escape(printable(text))


def _path(line: Series, start: datetime, x: Callable[[datetime], float], y: Callable[[float], float]) -> str:
    parts, before = [], start
    for at, value in line.points:
        if line.steps:
            parts.append(f"{x(before):.1f} {y(value):.1f} {x(at):.1f} {y(value):.1f}")
        else:
            parts.append(f"{x(at):.1f} {y(value):.1f}")
        before = at
    return "M" + "L".join(parts) if parts else ""


def _round_up(value: float) -> float:
    """The next 1, 2, 2.5, 4, 5 or 8 of its power of ten: quarters of it are good to read."""
    power = 1.0
    while power * 10 <= value:
        power *= 10
    return next((power * step for step in (1, 2, 2.5, 4, 5, 8, 10) if power * step >= value), power) if value else 4.0
