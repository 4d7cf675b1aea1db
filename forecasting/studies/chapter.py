"""The chapter's table: every model that it trains, what it says that the model scores, and the experiment that repeats it.

The figures are validation MSEs after 20 epochs: those of the text, and those of its author's published notebook. They move
by several percent from run to run, so the command `chapter` and the Guide measure several seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, stdev
from typing import Any, Literal

from forecasting.experiment import Experiment, ModelChoice, Task, Training, Waves

NEXT = Task(input_size=50, target="next")
TEN = Task(input_size=50, target="all_h", h=10)
SEEDS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes:
        key: its name in addresses and tests.
        task: `next` for the next step, on 51 points; `ten` for the next ten, on 60: time is stretched over [0, 1], so the
            two grids make different series.
        title: the model, in words.
        model: the model's name in MODELS.
        params: its parameters that are not default.
        text_mse, notebook_mse: the figures of the text and of the notebook, where they have one.
        learning_rate: Adam's; its default but where the median of five seeds misses the notebook's figure with it, which is
            that of one run, and another rate reaches it.
        mixed_grids: train on 51 points and score on 60, as the text does for its iterated forecast.
        note: why the figures need not agree.
    """

    key: str
    task: Literal["next", "ten"]
    title: str
    model: str
    params: dict[str, Any] = field(default_factory=dict)
    text_mse: float | None = None
    notebook_mse: float | None = None
    learning_rate: float = 0.001
    mixed_grids: bool = False
    note: str = ""

    @property
    def remark(self) -> str:
        """What there is to know about this line: its note, and where its training departs from the text's."""
        rate = self.learning_rate
        if rate == Training().learning_rate:
            return self.note
        return f"Trained at a learning rate of {rate:g}: at Adam's own it comes out worse in the median. {self.note}".strip()

    def experiment(self, seeds: tuple[int, ...] = SEEDS, data_seed: int = 42) -> Experiment:
        """The experiment that repeats this line: the chapter's data and training, this model, so many training seeds."""
        return Experiment(
            title=f"The chapter: {self.title}",
            source=Waves(seed=data_seed, train_n_steps=51 if self.mixed_grids else None),
            task=NEXT if self.task == "next" else TEN,
            models=(ModelChoice(name="naive"), ModelChoice(name=self.model, params=self.params)),
            training=Training(learning_rate=self.learning_rate),
            seeds=seeds,
        )

    def experiments_over_data(self, n: int) -> list[Experiment]:
        """The same on so many draws of the data: what luck means for a model that is solved and not trained."""
        return [self.experiment((1,), data_seed) for data_seed in range(42, 42 + n)]


def line_of(row: Line, summaries: Sequence[dict]) -> dict:
    """A line of the table as it was measured: medians over the seeds, from `Result.summary` of each."""
    scores = [summary["valid_mse"] for summary in summaries]
    return {
        "task": "next step" if row.task == "next" else "10 steps",
        "model": row.title,
        "text_mse": row.text_mse,
        "notebook_mse": row.notebook_mse,
        "valid_mse": median(scores) if scores else None,
        "valid_mse_std": stdev(scores) if len(scores) > 1 else None,
        "seeds": len(scores),
        "parameters": summaries[0]["parameters"] if summaries else None,
        "fit_s": median(summary["fit_s"] for summary in summaries) if summaries else None,
    }


SEQUENCE = {"sequence_to": "sequence"}
LINES = (
    Line("next-naive", "next", "Naive", "naive", text_mse=0.020, notebook_mse=0.0202),
    Line("next-linear", "next", "Linear, trained", "linear_sgd", text_mse=0.004, notebook_mse=0.00417),
    Line("next-exact", "next", "Linear, least squares", "linear"),
    Line("next-neuron", "next", "SimpleRNN(1)", "simple_rnn", text_mse=0.014, notebook_mse=0.0109),
    Line("next-deep", "next", "Deep RNN", "deep_rnn", text_mse=0.003, notebook_mse=0.00291),
    Line("next-dense", "next", "Deep RNN, dense output", "deep_rnn_dense", notebook_mse=0.00262),
    Line(
        "ten-naive",
        "ten",
        "Naive",
        "naive",
        text_mse=0.223,
        notebook_mse=0.257,
        note="The baseline of the text had seen the first of the ten values.",
    ),
    Line("ten-linear", "ten", "Linear, trained", "linear_sgd", text_mse=0.0188, notebook_mse=0.0187),
    Line("ten-exact", "ten", "Linear, least squares", "linear"),
    Line(
        "ten-iterated",
        "ten",
        "Deep RNN, one step at a time",
        "deep_rnn",
        {"strategy": "iterated"},
        text_mse=0.029,
        notebook_mse=0.0275,
        mixed_grids=True,
        note="As in the text it is trained on series over 51 points, and scored on series over 60.",
    ),
    Line("ten-vector", "ten", "Deep RNN, sequence to vector", "deep_rnn_dense", notebook_mse=0.0085),
    Line(
        "ten-sequence",
        "ten",
        "Deep RNN, sequence to sequence",
        "deep_rnn_dense",
        SEQUENCE,
        notebook_mse=0.0096,
        learning_rate=0.01,
    ),
    Line(
        "ten-batch",
        "ten",
        "… with batch normalisation",
        "deep_rnn_dense",
        SEQUENCE | {"normalisation": "batch"},
        notebook_mse=0.0164,
    ),
    Line(
        "ten-layer",
        "ten",
        "… with layer normalisation",
        "deep_rnn_dense",
        SEQUENCE | {"normalisation": "layer"},
        notebook_mse=0.0121,
        learning_rate=0.01,
    ),
    Line("ten-lstm", "ten", "LSTM, sequence to sequence", "lstm", SEQUENCE, notebook_mse=0.0086),
    Line("ten-gru", "ten", "GRU, sequence to sequence", "gru", SEQUENCE, notebook_mse=0.0103),
    Line("ten-conv", "ten", "Conv1D + GRU", "conv_gru", notebook_mse=0.0080),
    Line("ten-wavenet", "ten", "WaveNet", "wavenet", notebook_mse=0.0072, learning_rate=0.002),
)
