"""Drawings of models as SVG: inputs at the bottom, time from left to right, what is forecast in the accent colour."""

import html
from collections.abc import Callable
from dataclasses import dataclass, field

from dashboard.chart import Theme
from forecasting.models import Model

STEP, RISE, LEFT, SEEN, AHEAD = 72, 54, 40, 5, 3
CELLS = {"simple": "RNN", "lstm": "LSTM", "gru": "GRU"}
Point = tuple[float, float]


@dataclass
class Sketch:
    """A drawing that grows; the origin is at the bottom left."""

    title: str
    ink: str
    accent: str
    parts: list[str] = field(default_factory=list)
    right: float = 0
    top: float = 0
    out: Point = (0, 0)
    """The last forecast drawn."""

    def _reach(self, x: float, y: float) -> None:
        self.right, self.top = max(self.right, x + 26), max(self.top, y + 22)

    def _colour(self, strong: bool) -> str:
        return self.accent if strong else self.ink

    def node(self, at: Point, text: str, strong: bool = False, plain: bool = False) -> Point:
        """A box with a word, or the word alone; returns its middle.

        Args:
            at: its middle, in pixels.
            text: the word.
            strong: in the accent colour, as what is forecast.
            plain: the word alone.
        """
        (x, y), colour, half = at, self._colour(strong), max(15, 4 * len(text) + 4)
        self._reach(x, y)
        if strong:
            self.out = at
        if not plain:
            self.parts.append(
                f'<rect x="{x - half}" y="{-y - 13}" width="{2 * half}" height="26" rx="6" fill="none" stroke="{colour}"/>'
            )
        self.parts.append(f'<text x="{x}" y="{-y + 4}" text-anchor="middle" fill="{colour}">{html.escape(text)}</text>')
        return at

    def arrow(self, start: Point, end: Point, strong: bool = False, faint: bool = False, tight: bool = False) -> None:
        """An arrow from the rim of one node to the rim of another.

        Args:
            start, end: the middles of the nodes, in pixels.
            strong: in the accent colour.
            faint: nearly transparent.
            tight: between nodes that are points: from and to near their middles.
        """
        (x1, y1), (x2, y2) = start, end
        length = max(1.0, ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5)
        dx, dy = (x2 - x1) / length, (y2 - y1) / length
        gap = 5 if tight else min(13 / max(abs(dy), 1e-9), 24 / max(abs(dx), 1e-9)) + 2
        ax, ay, bx, by = x1 + dx * gap, y1 + dy * gap, x2 - dx * gap, y2 - dy * gap
        colour, look = self._colour(strong), ' opacity="0.35"' if faint else ""
        head = (
            f"{bx},{-by} {bx - 6 * dx - 3 * dy},{-(by - 6 * dy + 3 * dx)} {bx - 6 * dx + 3 * dy},{-(by - 6 * dy - 3 * dx)}"
        )
        self.parts.append(
            f'<g stroke="{colour}" fill="{colour}"{look}><line x1="{ax:.1f}" y1="{-ay:.1f}" x2="{bx:.1f}" y2="{-by:.1f}"/>'
            f'<polygon points="{head}" stroke="none"/></g>'
        )

    def svg(self) -> str:
        """The drawing as a picture of its own."""
        width, height = self.right + 8, self.top + 24
        return (
            f'<svg role="img" viewBox="0 {-self.top:.0f} {width:.0f} {height:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}" font-family="sans-serif" font-size="12" stroke-width="1.2" xmlns="http://www.w3.org/2000/svg">'
            f"<title>{html.escape(self.title)}</title>{''.join(self.parts)}</svg>"
        )


def drawing(model: Model, colours: Theme) -> str:
    """Draw a model by what its class and its parameters say.

    It is shown as a picture, which cannot follow the page's theme by itself: so it is drawn in the colours of the theme that
    is shown. Of layers, dilations and steps no more are drawn than can be told apart.
    """
    sketch = Sketch(f"Drawing: {model.label}", colours.ink, colours.accent)
    PICTURES[model.drawing.picture](sketch, model)
    if getattr(model, "strategy", "direct") == "iterated":
        out = sketch.out
        fed_back = sketch.node((max(out[0], _x(SEEN)) + 36, 0), f"ŷ{_lower(1)}", strong=True, plain=True)
        sketch.arrow(out, fed_back, strong=True)
    return sketch.svg()


def _x(i: float) -> float:
    return LEFT + i * STEP


def _inputs(sketch: Sketch, n: int = SEEN) -> list[Point]:
    """The look-back."""
    names = [f"y{_lower(i - n + 1)}" for i in range(n)]
    return [sketch.node((_x(i), 0), name, plain=True) for i, name in enumerate(names)]


def _lower(offset: int) -> str:
    """A place in time as an index: t, t-1, t+1."""
    digits = str(abs(offset)).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
    return "ₜ" if offset == 0 else f"ₜ{'₋' if offset < 0 else '₊'}{digits}"


def _rule(sketch: Sketch, model: Model) -> None:
    """Which of the values seen a baseline uses."""
    seen = _inputs(sketch)
    rule = sketch.node((_x(SEEN - 1), RISE), model.drawing.word)
    for place in model.drawing.used:
        sketch.arrow(seen[place], rule)
    out = sketch.node((_x(SEEN), 2 * RISE), "ŷ", strong=True)
    sketch.arrow(rule, out, strong=True)


def _sum(sketch: Sketch, model: Model) -> None:
    """All values seen, in one formula."""
    total = sketch.node((_x(2), RISE), model.drawing.word)
    for value in _inputs(sketch):
        sketch.arrow(value, total)
    sketch.arrow(total, sketch.node((_x(2), 2 * RISE), "ŷ", strong=True), strong=True)


def _states(sketch: Sketch, model: Model) -> None:
    """States that are carried from step to step; the last gives the forecast."""
    states = _row(sketch, _inputs(sketch), model.drawing.word, RISE)
    sketch.arrow(states[-1], sketch.node((_x(SEEN - 1), 2 * RISE), "ŷ", strong=True), strong=True)


def _two_lines(sketch: Sketch, _: Model) -> None:
    """The series as a straight line and as one with its curvature doubled, and the mean of their forecasts."""
    seen, mean = _inputs(sketch), (_x(2), 2 * RISE)
    for x, word in ((_x(0.8), "θ = 0: line"), (_x(3.2), "θ = 2: smoothed")):
        part = sketch.node((x, RISE), word)
        for value in seen:
            sketch.arrow(value, part)
        sketch.arrow(part, mean)
    sketch.arrow(sketch.node(mean, "mean"), sketch.node((_x(2), 3 * RISE), "ŷ", strong=True), strong=True)


def _mean(sketch: Sketch, model: Model) -> None:
    """Several models, and the mean of their forecasts."""
    seen, mean = _inputs(sketch), (_x(2), 2 * RISE)
    for x, word in ((_x(0), "model 1"), (_x(2), "model 2"), (_x(4), "model 3")):
        member = sketch.node((x, RISE), word)
        for value in seen:
            sketch.arrow(value, member, faint=True)
        sketch.arrow(member, mean)
    sketch.arrow(sketch.node(mean, model.drawing.word), sketch.node((_x(2), 3 * RISE), "ŷ", strong=True), strong=True)


def _row(sketch: Sketch, below: list[Point], word: str, y: float) -> list[Point]:
    """A recurrent layer, unrolled: a cell per step, each handing its state on."""
    cells = [sketch.node((x, y), word) for x, _ in below]
    for under, cell in zip(below, cells, strict=True):
        sketch.arrow(under, cell)
    for before, after in zip(cells, cells[1:], strict=False):
        sketch.arrow(before, after)
    return cells


def _layers(sketch: Sketch, model: Model) -> None:
    word = CELLS[getattr(model, "cell", "simple")]
    states = _inputs(sketch)
    layers = min(3, len(getattr(model, "units", ())))
    for layer in range(layers):
        states = _row(sketch, states, word, (layer + 1) * RISE)
        if getattr(model, "normalisation", "none") != "none":
            sketch.node((_x(SEEN) + 36, states[0][1]), f"{getattr(model, 'normalisation', '')} norm", plain=True)
    if len(getattr(model, "units", ())) > layers:
        sketch.node((_x(SEEN) + 36, states[0][1] - 16), f"… {len(getattr(model, 'units', ()))} layers", plain=True)
    recurrent_output = getattr(model, "output", "recurrent") == "recurrent"
    if recurrent_output:
        states = _row(sketch, states, word, (layers + 1) * RISE)
    every = model.return_sequences
    counted = getattr(model, "loss_last", 0) or len(states)
    y = states[0][1] + RISE
    for i, state in enumerate(states):
        if every or i == len(states) - 1:
            last = i >= len(states) - counted if every else True
            out = sketch.node((state[0], y), "ŷ" if recurrent_output else "Dense", strong=last)
            sketch.arrow(state, out, strong=last, faint=not last)


def _vector_decoder(sketch: Sketch, model: Model) -> None:
    vector = sketch.node((_x(2), RISE), "Dense: one vector")
    for value in _inputs(sketch):
        sketch.arrow(value, vector)
    word = CELLS[getattr(model, "cell", "gru")]
    cells = [sketch.node((_x(3.5 + i), 2.4 * RISE), word) for i in range(AHEAD)]
    for cell in cells:
        sketch.arrow(vector, cell)
    _write(sketch, cells)


def _write(sketch: Sketch, cells: list[Point]) -> list[Point]:
    """A decoder: states from left to right, a forecast above each."""
    for before, after in zip(cells, cells[1:], strict=False):
        sketch.arrow(before, after)
    outs = [sketch.node((x, y + RISE), f"ŷ{_lower(i + 1)}", strong=True) for i, (x, y) in enumerate(cells)]
    for cell, out in zip(cells, outs, strict=True):
        sketch.arrow(cell, out, strong=True)
    return outs


def _recurrent_decoder(sketch: Sketch, model: Model) -> None:
    word = CELLS[getattr(model, "cell", "gru")]
    encoder = _row(sketch, _inputs(sketch, 3), word, RISE)
    decoder = [sketch.node((_x(3 + i), RISE), word) for i in range(AHEAD)]
    sketch.arrow(encoder[-1], decoder[0])
    outs = _write(sketch, decoder)
    forced = getattr(model, "teacher_forcing", False)
    for i, cell in enumerate(decoder):
        if forced or i == 0:
            sketch.arrow(sketch.node((cell[0], 0), f"y{_lower(i)}", plain=True), cell)
        else:
            sketch.arrow(outs[i - 1], cell, strong=True, faint=True)


def _dilated(sketch: Sketch, model: Model) -> None:
    """Each layer reaches back twice as far; the paths that lead to the forecast are drawn dark."""
    n = 9
    dilations = [2**i for i in range(min(3, getattr(model, "layers_per_block", 3)))]
    below = [sketch.node((_x(i * 0.5), 0), "·", plain=True) for i in range(n)]
    wanted = {n - 1}
    reached = [wanted]
    for dilation in reversed(dilations):
        wanted = wanted | {i - dilation for i in wanted if i >= dilation}
        reached.append(wanted)
    for layer, dilation in enumerate(dilations):
        above = [sketch.node((x, y + RISE), "·", plain=True) for x, y in below]
        for i in range(n):
            for j in (i, i - dilation):
                if j >= 0:
                    sketch.arrow(below[j], above[i], faint=i not in reached[len(dilations) - 1 - layer], tight=True)
        if getattr(model, "gated", False):
            sketch.node((_x((n - 1) * 0.5 + 1), above[0][1]), "tanh ⊙ σ", plain=True)
        below = above
    sketch.arrow(below[-1], sketch.node((below[-1][0], below[-1][1] + RISE), "ŷ", strong=True), strong=True)


def _patterns(sketch: Sketch, model: Model) -> None:
    """Patterns of at most four steps, at most two steps apart."""
    width, stride = min(4, getattr(model, "kernel_size", 4)), min(2, getattr(model, "stride", 2))
    n = width + 2 * stride
    seen = [sketch.node((_x(i * 0.7), 0), f"y{_lower(i - n + 1)}", plain=True) for i in range(n)]
    patterns = []
    for first in (0, stride, 2 * stride):
        under = seen[first : first + width]
        patterns.append(sketch.node(((under[0][0] + under[-1][0]) / 2, RISE), "Conv"))
        for value in under:
            sketch.arrow(value, patterns[-1])
    cells = _row(sketch, patterns, model.drawing.word, 2 * RISE)
    for x, y in cells:
        sketch.arrow((x, y), sketch.node((x, y + RISE), "Dense", strong=True), strong=True)


PICTURES: dict[str, Callable[[Sketch, Model], None]] = {
    "rule": _rule,
    "sum": _sum,
    "row": _states,
    "two_lines": _two_lines,
    "mean": _mean,
    "layers": _layers,
    "vector_decoder": _vector_decoder,
    "recurrent_decoder": _recurrent_decoder,
    "dilated": _dilated,
    "patterns": _patterns,
}
"""A function for each picture that a model can have (`Drawing.picture`)."""
