"""Runs beside each other: what differs between their settings."""

from dashboard.differences import differing
from forecasting import Experiment, ModelChoice, Task, Training, Waves


def test_only_the_settings_that_differ_are_told_the_models_in_a_line():
    one = Experiment(models=(ModelChoice(name="gru"),), training=Training(epochs=5))
    other = Experiment(source=Waves(seed=1), task=Task(input_size=20), models=(ModelChoice(name="lstm"),))
    table = differing({"A": one, "B": other, "C": one}).set_index("Setting")
    assert list(table.index) == ["models", "source.seed", "task.input_size", "training.epochs"]
    assert table.loc["source.seed"].tolist() == ["42", "1", "42"]
    assert table.loc["training.epochs"].tolist() == ["5", "20", "5"]
    assert table.loc["models"].tolist() == ["GRU", "LSTM", "GRU"]
    assert differing({"A": one, "B": one}).empty
