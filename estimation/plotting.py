"""How figures look: one style, object-API figures, and a font that has Chinese characters.

Belongs here: creating figures and the small drawings that several rooms share. Does not belong
here: statistics, file paths. Figures never touch pyplot's global state, so they may be made in
threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

INK, ACCENT, MUTED, BAND, WARM = "#1b2733", "#0b6e8f", "#8a99a6", "#9cc9d9", "#c2542d"
PALETTE = ("#0b6e8f", "#c2542d", "#5b8c3a", "#7b5ea7", "#b58b00", "#3f4f5e", "#c0508a", "#2a9d8f")

_PROBE = "城市碳减污协同区位熵"


@lru_cache(maxsize=1)
def cjk_font() -> str | None:
    """Family name of an installed font with the Chinese characters that labels use, or None."""
    for entry in sorted(font_manager.fontManager.ttflist, key=lambda f: (f.name, f.fname)):
        try:
            face = FT2Font(entry.fname)
        except (OSError, RuntimeError):  # an unreadable font file is not a font we can use
            continue
        if all(face.get_char_index(ord(c)) for c in _PROBE):
            return str(entry.name)
    return None


def needs_cjk(text: str) -> bool:
    """Whether a label holds Chinese characters."""
    return any("\u3400" <= c <= "\u9fff" for c in text)


def renderable(text: str, fallback: str) -> str:
    """``text`` if it can be drawn on this machine, else the (English) fallback."""
    return text if not needs_cjk(text) or cjk_font() else fallback


def new_figure(
    width: float = 7.2, height: float = 4.2, *, rows: int = 1, columns: int = 1
) -> tuple[Figure, list[Axes]]:
    """An empty figure with the project's style and its axes in reading order."""
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(np.asarray(figure.subplots(rows, columns))).ravel().tolist()
    for ax in axes:
        style_axes(ax)
    return figure, axes


def style_axes(ax: Axes) -> None:
    """No box, light grid behind the data, quiet ticks."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(MUTED)
    ax.tick_params(colors=INK, labelsize=8)
    ax.grid(axis="y", color="#e4e9ed", linewidth=0.7)
    ax.set_axisbelow(True)


def label(
    ax: Axes, *, title: str | None = None, x: str | None = None, y: str | None = None
) -> None:
    """Title and axis labels; Chinese ones use a font that has the characters."""
    for text, setter, size in (
        (title, ax.set_title, 10),
        (x, ax.set_xlabel, 9),
        (y, ax.set_ylabel, 9),
    ):
        if not text:
            continue
        drawn = setter(text, fontsize=size, color=INK)  # type: ignore[operator]
        family = cjk_font() if needs_cjk(text) else None
        if family:
            drawn.set_fontfamily([family])


def interval_plot(
    labels: Sequence[str],
    estimates: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    title: str,
    x: str,
    reference: float | None = None,
    reference_label: str | None = None,
) -> Figure:
    """Horizontal point-and-interval plot, first label on top, zero marked."""
    figure, (ax,) = new_figure(7.2, 1.3 + 0.36 * len(labels))
    position = np.arange(len(labels))[::-1]
    estimate = np.asarray(estimates, dtype=float)
    spread = np.vstack([estimate - np.asarray(low, float), np.asarray(high, float) - estimate])
    ax.errorbar(
        estimate, position, xerr=np.nan_to_num(np.abs(spread)), fmt="o", color=ACCENT,
        ecolor=BAND, elinewidth=2.4, markersize=5,
    )  # fmt: skip
    ax.axvline(0, color=INK, linewidth=0.8)
    if reference is not None and np.isfinite(reference):
        ax.axvline(reference, color=WARM, linestyle="--", linewidth=1, label=reference_label)
        if reference_label:
            ax.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1))
    ax.set_yticks(position, list(labels), fontsize=8)
    ax.grid(axis="x", color="#e4e9ed", linewidth=0.7)
    label(ax, title=title, x=x)
    return figure
