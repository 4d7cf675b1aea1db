"""What all charts have in common: thin lines, units on every axis, one colour per model, room above for their tools."""

import html
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from dashboard.results import Fits
from dashboard.words import shortened

MARKERS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "star", "hexagon")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


ABOVE = 34
"""Room above every chart, in pixels: on the left stands what it is about, on the right its tools."""


POINT, BLANK = ("da", "de", "el", "es", "id", "it", "nl", "pt", "ro", "sl", "tr", "vi"), (
    "bg", "cs", "et", "fi", "fr", "hu", "lt", "lv", "nb", "no", "pl", "ru", "sk", "sv", "uk",
)  # fmt: skip
"""Languages that write 1.234,5 and those that write 1 234,5."""
SEPARATORS = dict.fromkeys(POINT, ",.") | dict.fromkeys(BLANK, ",\u202f") | {"de-CH": ".’", "es-MX": ".,"}


@dataclass(frozen=True)
class Theme:
    """Colours of the theme that is shown: of the page, its text, thin lines, what is chosen, and the models."""

    paper: str
    ink: str
    faint: str
    accent: str
    palette: tuple[str, ...]

    @property
    def muted(self) -> str:
        """The colour of text beside charts: between ink and paper."""
        ink, paper = (np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) for colour in (self.ink, self.paper))
        return "#" + "".join(f"{part:02X}" for part in np.rint(0.7 * ink + 0.3 * paper).astype(int))

    @property
    def coloured(self) -> tuple[str, ...]:
        """The palette without its grey."""
        return self.palette[1:] or self.palette


def theme() -> Theme:
    """The colours of the visitor's theme; they are declared in `.streamlit/config.toml` alone."""
    mode = "dark" if st.context.theme.type == "dark" else "light"
    palette = st.get_option("theme.chartCategoricalColors") or ["#707986"]
    paper = st.get_option(f"theme.{mode}.backgroundColor") or "#FFFFFF"
    ink = st.get_option(f"theme.{mode}.textColor") or "#14181F"
    accent = st.get_option(f"theme.{mode}.primaryColor") or "#0B57E8"
    faint = st.get_option(f"theme.{mode}.borderColor") or "#E3E8EF"
    return Theme(paper, ink, faint, accent, tuple(palette))


def style_of(rows: Sequence[Fits], row: Fits, colours: Theme) -> tuple[str, str, str]:
    """Colour, dash and marker of a model: what shares a colour, as variants and baselines do, differs in dash and marker.

    Args:
        rows: all models, whose colours must differ.
        row: the model, one of `rows`.
        colours: of the theme.
    """
    n_colours = len(colours.palette) - 1
    number = _colour_numbers(rows, n_colours).get(row.place, 0)
    alike = sorted((other for other in rows if other.place == row.place), key=lambda other: other.label)
    dash = ("dot", "dashdot", "longdash", "dash", "solid") if row.place == 0 else DASHES
    first = 0 if row.place <= n_colours else 3  # the second round of the palette begins with another dash
    nth = alike.index(row)
    marker = MARKERS[(row.place + nth) % len(MARKERS)] + ("-open" if row.place == 0 else "")
    return colours.palette[number], dash[(first + nth) % len(dash)], marker


def _colour_numbers(rows: Sequence[Fits], n_colours: int) -> dict[int, int]:
    """A colour of the palette for every place: each model's own, and where another has it already, a free one."""
    numbers: dict[int, int] = {}
    for place in sorted({row.place for row in rows} - {0}) if n_colours else ():
        free = set(range(1, n_colours + 1)) - set(numbers.values())
        own = 1 + (place - 1) % n_colours
        numbers[place] = own if own in free or not free else min(free)
    return numbers


def show(figure: go.Figure, name: str, alt: str, on_select: Callable[[], None] | None = None, lift: int = 16) -> None:
    """Draw a chart that can be taken along as PNG or SVG; where that means something, a stretch of it can be chosen.

    It says itself what it is about, so that a picture of it does too. Where the visitor has no mouse, a swipe moves the page
    and not the chart.

    Args:
        figure: the chart.
        name: of the widget, and of the picture's file, behind what the page is about.
        alt: what the chart shows, in words for those who cannot see it.
        on_select: called when a stretch was chosen; None: none can be.
        lift: by how many pixels the line that says what it is about stands above the axes.
    """
    form, about = st.session_state.get("picture", "png"), st.session_state.get("about", "")
    if about:
        place = {"x": 0, "xref": "paper", "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom", "yshift": lift}
        font = {"size": 10, "color": theme().muted}
        figure.add_annotation(text=html.escape(shortened(about, 90)), showarrow=False, font=font, **place)
    touched = on_touch()
    if touched:
        figure.update_layout(dragmode=False)
    st.plotly_chart(
        figure,
        key=f"chart-{name}",
        alt=alt,
        on_select=on_select or "ignore",
        selection_mode="box",
        config={
            "displaylogo": False,
            "displayModeBar": False if touched else "hover",
            "toImageButtonOptions": {"format": form, "filename": file_name(about, name), "scale": 2},
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
        },
    )


def separators(locale: str | None) -> str:
    """The marks of decimals and of thousands, as the visitor's language writes numbers; the English ones by default."""
    language = (locale or "").split("-")[0].lower()
    return SEPARATORS.get(locale or "", SEPARATORS.get(language, ".,"))


def on_touch() -> bool:
    """Whether the visitor's browser says that it is a phone's or a tablet's."""
    return "Mobi" in (st.context.headers.get("User-Agent") or "")


def file_name(about: str, what: str) -> str:
    """The name of a file that is about something, in letters that every system takes: `sum-of-two-sines-forecast`."""
    plain = unicodedata.normalize("NFKD", about.replace("–", "-")).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")
    return f"{words}-{what}" if words else what


def blank(height: int, x: str, y: str) -> go.Figure:
    """An empty chart: what all charts have in common.

    Args:
        height: in pixels.
        x, y: titles of the axes.
    """
    colours = theme()
    font = {"color": colours.muted}
    return go.Figure(
        layout={
            "separators": separators(st.context.locale),
            "font": font,
            "height": height + ABOVE,
            "margin": {"l": 8, "r": 8, "t": ABOVE, "b": 8},
            "hovermode": "x unified",
            "hoverlabel": {"namelength": -1},
            "legend": {"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0, "x": 0, "font": font},
            "paper_bgcolor": colours.paper,
            "plot_bgcolor": colours.paper,
            "xaxis": axis(x, colours),
            "yaxis": axis(y, colours),
        }
    )


def axis(title: str, colours: Theme) -> dict:
    """What all axes have in common.

    Args:
        title: what it shows, and in which unit.
        colours: of the theme.
    """
    font = {"color": colours.muted}
    return {"automargin": True, "zeroline": False, "tickfont": font, "title": {"text": title, "font": font}}


def log_axis(values: Sequence[float], room: float = 0.06) -> dict:
    """A logarithmic axis around some values, its ticks in plain numbers and never many.

    Args:
        values: what it has to show; what is not above 0 is left aside.
        room: beyond the lowest and the highest, as a share of the way between them, and at least so many tenths of it.
    """
    shown = [value for value in values if value > 0 and np.isfinite(value)]
    if not shown:
        return {"type": "log"}
    low, high = np.log10(min(shown)), np.log10(max(shown))
    beyond = max(0.05, room * (high - low))
    low, high = low - beyond, high + beyond
    dtick = max(1, int(np.ceil((high - low) / 5))) if high - low > 3 else "D2" if high - low > 0.5 else "D1"
    return {"type": "log", "range": [low, high], "dtick": dtick, "tickformat": "~g", "minor": {"showgrid": False}}


def level_line(figure: go.Figure, name: str, value: float, colours: Theme) -> None:
    """A dotted line across a chart with a logarithmic y axis, where annotations are placed by the exponent.

    Args:
        figure: the chart, to which it is added.
        name: what stands beside it.
        value: its height, above 0.
        colours: of the theme.
    """
    figure.add_hline(y=value, line={"color": colours.muted, "width": 1, "dash": "dot"})
    place = {"x": 1, "xref": "paper", "xanchor": "right", "y": np.log10(value), "yanchor": "bottom"}
    figure.add_annotation(text=name, showarrow=False, font={"color": colours.muted, "size": 11}, **place)
