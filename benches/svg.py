"""Bars with their values beside them, and lines over time, as an SVG: all that figures and soaks need.

Invariant: the same numbers always give the same bytes, so that a plot can be compared with what is committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LABELS, _VALUES, _ROW, _BAR = 760, 250, 90, 26, 16
_OURS, _OTHERS, _TEXT, _MUTED, _PAPER = "#1f6feb", "#9aa4b2", "#1f2328", "#59636e", "#ffffff"


@dataclass(frozen=True)
class Bar:
    """One value."""

    label: str
    value: float
    ours: bool
    shown: str


def bars(title: str, subtitle: str, given: Sequence[Bar]) -> str:
    """The drawing of these bars, from top to bottom, on one scale from 0."""
    top = 62
    height = top + _ROW * len(given) + 14
    longest = max(bar.value for bar in given) or 1.0
    room = _WIDTH - _LABELS - _VALUES - 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" role="img">',
        f"<title>{escape(title)}: {escape('; '.join(f'{bar.label} {bar.shown}' for bar in given))}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="{_PAPER}"/>',
        f'<text x="16" y="26" font-size="16" font-weight="600" fill="{_TEXT}">{escape(title)}</text>',
        f'<text x="16" y="46" font-size="12" fill="{_MUTED}">{escape(subtitle)}</text>',
    ]
    for n, bar in enumerate(given):
        y = top + _ROW * n
        width = max(1.0, room * bar.value / longest)
        end = _LABELS + 16 + width
        colour, weight = (_OURS, 600) if bar.ours else (_OTHERS, 400)
        lines += [
            f'<text x="{_LABELS}" y="{y + 13}" font-size="12" font-weight="{weight}" text-anchor="end" '
            f'fill="{_TEXT}">{escape(bar.label)}</text>',
            f'<rect x="{_LABELS + 10}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2" fill="{colour}"/>',
            f'<text x="{end:.1f}" y="{y + 13}" font-size="12" fill="{_TEXT}">{escape(bar.shown)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


@dataclass(frozen=True)
class Line:
    """One value over time."""

    label: str
    values: Sequence[float]
    unit: str = ""


def lines(title: str, subtitle: str, times: Sequence[float], given: Sequence[Line]) -> str:
    """The drawing of these lines over seconds, one below the other, each on a scale of its own from 0."""
    top, panel = 62, 110
    height = top + panel * len(given) + 24
    left, right = 16, _WIDTH - 16
    end = times[-1] if times and times[-1] > 0 else 1.0
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" role="img">',
        f"<title>{escape(title)}: {escape(', '.join(line.label for line in given))}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="{_PAPER}"/>',
        f'<text x="16" y="26" font-size="16" font-weight="600" fill="{_TEXT}">{escape(title)}</text>',
        f'<text x="16" y="46" font-size="12" fill="{_MUTED}">{escape(subtitle)}</text>',
    ]
    for n, line in enumerate(given):
        base = top + panel * (n + 1) - 16
        most = max(line.values, default=0.0) or 1.0
        points = " ".join(
            f"{left + (right - left) * at / end:.1f},{base - (panel - 40) * value / most:.1f}"
            for at, value in zip(times, line.values, strict=True)
        )
        label = f"{line.label}, at most {most:,.0f} {line.unit}".rstrip()
        drawn += [
            f'<text x="{left}" y="{base - panel + 34}" font-size="12" fill="{_TEXT}">{escape(label)}</text>',
            f'<path d="M{left} {base}H{right}" stroke="{_OTHERS}" fill="none"/>',
            f'<polyline points="{points}" stroke="{_OURS}" stroke-width="1.5" fill="none"/>',
        ]
    drawn.append(
        f'<text x="{right}" y="{height - 12}" font-size="12" text-anchor="end" fill="{_MUTED}">{end:,.0f} s</text>'
    )
    return "\n".join([*drawn, "</svg>", ""])
