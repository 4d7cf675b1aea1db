"""The Guide's content: the chapter in ten steps."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step of the Guide.

    Attributes:
        rows: keys of the lines of the chapter's table that it measures; the guess is about the first.
    """

    title: str
    text: str
    rows: tuple[str, ...]


STEPS = (
    Step(
        "Begin with the simplest forecast",
        "Ten thousand series, each a sum of two waves with a little noise. We see fifty values and want the next one. "
        "Before any network: what if tomorrow is simply like today? Whatever we build later has to beat this number, or it "
        "has learned nothing.",
        ("next-naive",),
    ),
    Step(
        "A weighted sum of the past",
        "The next idea is hardly more: give each of the fifty values a weight, add them up, and let training find the "
        "weights. Fifty weights and a bias make 51 parameters. The text trains them step by step, for twenty epochs. The "
        "same weights can also be solved for exactly, in milliseconds: does that make a difference?",
        ("next-linear", "next-exact"),
    ),
    Step(
        "One recurrent neuron",
        "A recurrent neuron reads the series value by value and carries one number along, its state. With the same three "
        "parameters at every step (one for the input, one for the state, one bias) it can read a past of any length. How "
        "far do three parameters get?",
        ("next-neuron",),
    ),
    Step(
        "Put layers on top of each other",
        "Twenty neurons read the series, twenty more read what the first twenty say, and a last one turns that into a "
        "forecast. Errors flow back through all layers and all fifty steps; the same weights serve every step, so their "
        "gradients add up.",
        ("next-deep",),
    ),
    Step(
        "A dense output instead",
        "The last recurrent neuron can say nothing beyond -1 and 1, for its activation is tanh, and all that it can carry "
        "from step to step is its own forecast. A plain dense layer over the last state does its work and learns "
        "a little faster.",
        ("next-dense",),
    ),
    Step(
        "Ten steps, one at a time",
        "Now we want ten values. The cheap way: forecast one, pretend that it came true, forecast the next from there. "
        "Errors feed on errors. The text trains on series stretched over 51 points and tests on series stretched over 60, "
        "and this step repeats that; the model pays for the mismatch too.",
        ("ten-iterated", "ten-naive"),
    ),
    Step(
        "All ten at once",
        "Ask for ten numbers instead of one: the last state of the network goes to a dense layer with ten outputs (sequence "
        "to vector). Nothing is fed back, so nothing can feed on itself. The linear model can do that as well.",
        ("ten-vector", "ten-linear", "ten-exact"),
    ),
    Step(
        "A forecast after every step",
        "While it learns, let the network forecast the ten values that follow every single step (sequence to sequence). "
        "Errors then flow in from fifty places and not from the end alone. Only the last forecast is scored. Normalising "
        "the states, by batch or by layer, is a variation of it.",
        ("ten-sequence", "ten-batch", "ten-layer"),
    ),
    Step(
        "Gates against forgetting",
        "A simple neuron overwrites its state at every step, and after fifty steps little is left of the first. LSTM and "
        "GRU cells have gates, small layers that decide what is kept, what is taken in and what is shown.",
        ("ten-lstm", "ten-gru"),
    ),
    Step(
        "Convolutions over time",
        "A convolution looks for short patterns wherever they occur. Before a GRU it halves the steps that have to be "
        "remembered. WaveNet does without a state: each layer reaches back twice as far as the one below, so that a few "
        "layers see everything.",
        ("ten-conv", "ten-wavenet"),
    ),
)

LEFT_OUT = """
- **Exact least squares ties the deep RNN.** The text's linear model is under-trained: solved exactly, the same 51 weights
  score about 0.0029 at the next step, where the deep RNN has 0.003.
- **Its naive figure for ten steps, 0.223, is too good.** The baseline had seen the first of the ten targets. Mended, it
  scores 0.257 to 0.27.
- **The figure for one step at a time mixes two grids.** Time is stretched over 0 to 1 however many points there are, so 51
  points and 60 points are different series. With least squares: mixed 0.0496, on one grid 0.0157, all at once 0.0155.
- **One run is luck.** The same recipe with another seed moves by several percent, and one SimpleRNN(1) in eight gets stuck
  at 0.143. So this table shows means over seeds with their spread.
- **The recipes stop early.** With the *tuned* recipe of the Lab (a learning rate that warms up and falls along a cosine,
  clipped gradients, 2 × 32 units that learn from a forecast at each of the last twenty steps) a GRU gets to 0.0011 at the
  next step and to 0.0014 over ten, in thirty epochs. The noise floor is 0.000833, and a forecaster that knows the formula
  gets to 0.0010 and 0.00106.
"""
