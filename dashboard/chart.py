"""What all charts have in common: thin lines, no background of their own, units on every axis, one colour per model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from dashboard.results import Fits

MARKERS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "star", "hexagon")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


@dataclass(frozen=True)
class Theme:
    """Colours of the theme that is shown."""

    paper: str
    ink: str
    faint: str
    accent: str
    palette: tuple[str, ...]

    @property
    def coloured(self) -> tuple[str, ...]:
        """The palette without its grey."""
        return self.palette[1:] or self.palette


def theme() -> Theme:
    """The colours of the visitor's theme; they are declared in `.streamlit/config.toml` alone."""
    mode = "dark" if st.context.theme.type == "dark" else "light"
    palette = st.get_option("theme.chartCategoricalColors") or ["#8A94A3"]
    paper = st.get_option(f"theme.{mode}.backgroundColor") or "#FFFFFF"
    ink = st.get_option(f"theme.{mode}.textColor") or "#14181F"
    accent = st.get_option(f"theme.{mode}.primaryColor") or "#0B5FFF"
    faint = st.get_option(f"theme.{mode}.borderColor") or "#E3E8EF"
    return Theme(paper, ink, faint, accent, tuple(palette))


def style_of(rows: Sequence[Fits], row: Fits, colours: Theme) -> tuple[str, str, str]:
    """Colour, dash and marker of a model: what shares a colour, as variants and baselines do, differs in dash.

    Args:
        rows: all models, whose colours must differ.
        row: the model, one of `rows`.
        colours: of the theme.
    """
    n_colours = len(colours.palette) - 1
    number = _colour_numbers(rows, n_colours).get(row.place, 0)
    alike = [other for other in rows if other.place == row.place]
    dash = ("dot", "dashdot", "longdash", "dash", "solid") if row.place == 0 else DASHES
    first = 0 if row.place <= n_colours else 3  # the second round of the palette begins with another dash
    return colours.palette[number], dash[(first + alike.index(row)) % len(dash)], MARKERS[row.place % len(MARKERS)]


def _colour_numbers(rows: Sequence[Fits], n_colours: int) -> dict[int, int]:
    """A colour of the palette for every place: each model's own, and where another has it already, a free one."""
    numbers: dict[int, int] = {}
    for place in sorted({row.place for row in rows} - {0}) if n_colours else ():
        free = set(range(1, n_colours + 1)) - set(numbers.values())
        own = 1 + (place - 1) % n_colours
        numbers[place] = own if own in free or not free else min(free)
    return numbers


def show(figure: go.Figure, name: str, alt: str, on_select: Callable[[], None] | None = None) -> None:
    """Draw a chart that can be taken along as PNG or SVG; where that means something, a stretch of it can be chosen.

    Args:
        figure: the chart.
        name: of the widget, and of the picture's file.
        alt: what the chart shows, in words for those who cannot see it.
        on_select: called when a stretch was chosen; None: none can be.
    """
    form = st.session_state.get("picture", "png")
    st.plotly_chart(
        figure,
        key=f"chart-{name}",
        alt=alt,
        on_select=on_select or "ignore",
        selection_mode="box",
        config={
            "displaylogo": False,
            "toImageButtonOptions": {"format": form, "filename": name, "scale": 2},
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
        },
    )


def blank(height: int, x: str, y: str) -> go.Figure:
    """An empty chart: what all charts have in common.

    Args:
        height: in pixels.
        x, y: titles of the axes.
    """
    return go.Figure(
        layout={
            "height": height,
            "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
            "hovermode": "x unified",
            "legend": {"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0, "x": 0},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": {"title": x, "automargin": True, "zeroline": False},
            "yaxis": {"title": y, "automargin": True, "zeroline": False},
        }
    )


def floor_line(figure: go.Figure, floor: float, colours: Theme) -> None:
    """A dotted line across a chart with a logarithmic y axis, where annotations are placed by the exponent.

    Args:
        figure: the chart, to which it is added.
        floor: the noise floor, above 0, in units squared.
        colours: of the theme.
    """
    figure.add_hline(y=floor, line={"color": colours.ink, "width": 1, "dash": "dot"})
    place = {"x": 1, "xref": "paper", "xanchor": "right", "y": np.log10(floor), "yanchor": "bottom"}
    figure.add_annotation(text="noise floor", showarrow=False, **place)
