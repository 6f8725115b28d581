"""Figures are drawn without global state, and Chinese text only where a font has it."""

from __future__ import annotations

import io
import sys

import pytest
from matplotlib.figure import Figure

from estimation import plotting


def test_figures_do_not_touch_pyplot():
    figure = plotting.interval_plot(
        ["a", "b"], [1.0, 2.0], [0.5, 1.0], [1.5, 3.0], title="T", x="x"
    )
    assert isinstance(figure, Figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    assert buffer.getvalue()[:4] == b"\x89PNG"
    if "matplotlib.pyplot" in sys.modules:
        from matplotlib import pyplot

        assert figure.number not in pyplot.get_fignums() if hasattr(figure, "number") else True


def test_chinese_is_drawn_or_replaced(monkeypatch):
    assert plotting.needs_cjk("碳排放 t")
    assert not plotting.needs_cjk("carbon, t")
    monkeypatch.setattr(plotting, "cjk_font", lambda: None)
    assert plotting.renderable("碳排放", "carbon") == "carbon"
    monkeypatch.setattr(plotting, "cjk_font", lambda: "Some Font")
    assert plotting.renderable("碳排放", "carbon") == "碳排放"


def test_installed_chinese_font_renders_without_missing_glyphs(recwarn):
    if plotting.cjk_font() is None:
        pytest.skip("no font with Chinese characters is installed; labels stay English")
    figure, (ax,) = plotting.new_figure()
    plotting.label(ax, title="城市碳排放", x="年份", y="吨")
    figure.savefig(io.BytesIO(), format="png")
    assert not [w for w in recwarn if "Glyph" in str(w.message)]
