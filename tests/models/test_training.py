"""The training loop, against Keras' own `fit`; and how it ends."""

from dataclasses import replace
from itertools import count

import keras
import numpy as np
import pytest

from forecasting.data import load
from forecasting.experiment import BadInput, ModelChoice, Task, Training, Waves
from forecasting.models import Control, Shape, resolve
from forecasting.models.learning import Diverged, Stopped
from forecasting.models.networks import program, training

LINEAR = resolve(ModelChoice(name="linear_sgd"))
DEEP = resolve(ModelChoice(name="deep_rnn", params={"units": [4, 3]}))
BATCH_NORMALISED = resolve(ModelChoice(name="deep_rnn_dense", params={"units": [4], "normalisation": "batch"}))
SIMPLEST = resolve(ModelChoice(name="simple_rnn"))
SPLIT = load(Waves(n_series=60), Task(input_size=8, target="all_h", h=2))  # 42 windows to train on


def valid_loss(fitted):
    """Mean squared error on the validation part, by hand."""
    return float(np.mean((fitted.predict(SPLIT.valid.x).astype("float64") - SPLIT.valid.y) ** 2))


def fit(model=LINEAR, seed=1, split=SPLIT, should_stop=lambda _: False, on_epoch=None, state=None, **settings):
    """Train; return what was learned and the progress of every epoch. `should_stop` is asked with that progress."""
    curve = []

    control = Control(
        Training(**{"epochs": 2, "batch_size": 16, **settings}),
        seed=seed,
        state=state,
        on_epoch=on_epoch or curve.append,
        should_stop=lambda: should_stop(curve),
    )
    return model.fit(split, control), curve


def fit_by_keras(model, optimizer, seed, epochs, batch_size, loss="mse", rate=None, scale=1):
    """Keras' `fit` on the same batches in the same order: one epoch at a time, over windows shuffled beforehand.

    `rate` gives the learning rate of each gradient step, counted from 0.
    """
    keras.utils.set_random_seed(seed)
    network = model.network(Shape.of(SPLIT)).training_model
    network.compile(optimizer, loss=loss)
    rng, losses, callbacks, step = np.random.default_rng(seed), [], [], count()
    if rate is not None:
        set_rate = lambda *_, **__: network.optimizer.learning_rate.assign(rate(next(step)))  # noqa: E731
        callbacks.append(keras.callbacks.LambdaCallback(on_train_batch_begin=set_rate))
    for _ in range(epochs):
        order = rng.permutation(len(SPLIT.train))
        x, y = SPLIT.train.x[order], scale * SPLIT.train.y[order]
        how = {"batch_size": batch_size, "epochs": 1, "shuffle": False, "verbose": 0, "callbacks": callbacks}
        history = network.fit(x, y, **how)
        losses.append(history.history["loss"][0])
    return network, losses


@pytest.mark.parametrize(
    ("model", "optimizer", "learning_rate"),
    [
        (DEEP, "adam", 0.001),
        (LINEAR, "adam", 0.001),
        (LINEAR, "sgd", 0.05),
        (LINEAR, "rmsprop", 0.002),
        (LINEAR, "nadam", 0.01),
    ],
    ids=["deep RNN, adam", "linear, adam", "linear, sgd", "linear, rmsprop", "linear, nadam"],
)
def test_two_epochs_give_the_weights_and_losses_that_keras_fit_gives(model, optimizer, learning_rate):
    learned, curve = fit(model, seed=3, optimizer=optimizer, learning_rate=learning_rate)
    by_keras = keras.optimizers.get({"class_name": optimizer, "config": {"learning_rate": learning_rate}})
    network, losses = fit_by_keras(model, by_keras, seed=3, epochs=2, batch_size=16)
    start = fit_by_keras(model, "sgd", seed=3, epochs=0, batch_size=16)[0].get_weights()
    for ours, theirs, before in zip(learned.fitted.weights, network.get_weights(), start, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
        assert np.abs(ours - before).max() > 1e-4  # they have moved by far more than they may differ
    np.testing.assert_allclose([progress.loss for progress in curve], losses, rtol=1e-4)
    assert np.isclose(curve[-1].valid_loss, network.evaluate(SPLIT.valid.x, SPLIT.valid.y, verbose=0), rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "loss", "config"),
    [
        pytest.param({"loss": "mae"}, "mae", {}, marks=pytest.mark.long),
        pytest.param({"loss": "huber"}, "huber", {}, marks=pytest.mark.slow),
        ({"clip_norm": 0.05}, "mse", {"global_clipnorm": 0.05}),
    ],
    ids=["absolute errors", "Huber", "clipped gradients"],
)
def test_losses_and_clipping_are_those_of_keras(settings, loss, config):
    far = replace(SPLIT, train=replace(SPLIT.train, y=4 * SPLIT.train.y))  # where Huber's loss and the clipping matter
    learned, _ = fit(DEEP, seed=3, split=far, **settings)
    network, _ = fit_by_keras(DEEP, keras.optimizers.Adam(0.001, **config), 3, 2, 16, loss, scale=4)
    plain, _ = fit(DEEP, seed=3, split=far)
    for ours, theirs, without in zip(learned.fitted.weights, network.get_weights(), plain.fitted.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
        assert np.abs(ours - without).max() > 3e-5


def test_a_cosine_rises_and_falls_from_step_to_step():
    settings = {"schedule": "cosine", "warm_up": 0.25, "learning_rate": 0.02, "epochs": 4}
    learned, _ = fit(DEEP, seed=3, **settings)

    def rate(step, total=4 * 3):
        return 0.02 * ((step + 1) / 3 if step < 3 else 0.5 + 0.5 * np.cos(np.pi * (step - 3) / (total - 3)))

    network, _ = fit_by_keras(DEEP, keras.optimizers.Adam(0.02), 3, 4, 16, rate=rate)
    for ours, theirs in zip(learned.fitted.weights, network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5)


@pytest.mark.slow
def test_the_last_smaller_batch_is_normalised_by_itself():
    normalised = resolve(ModelChoice(name="gru", params={"units": [3], "normalisation": "batch"}))
    learned, curve = fit(normalised, seed=3, learning_rate=0.01)  # 42 windows: 16, 16, 10
    network, losses = fit_by_keras(normalised, keras.optimizers.Adam(0.01), 3, 2, 16)
    for ours, theirs in zip(learned.fitted.weights, network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5)
    np.testing.assert_allclose([progress.loss for progress in curve], losses, rtol=1e-4)


@pytest.mark.parametrize("optimizer", ["adam", "nadam", "rmsprop", "sgd"])
def test_without_a_choice_optimisers_are_at_keras_defaults(optimizer):
    config = keras.optimizers.get(optimizer).get_config()
    learned, _ = fit(optimizer=optimizer, learning_rate=config["learning_rate"])
    network, _ = fit_by_keras(LINEAR, optimizer, seed=1, epochs=2, batch_size=16)
    for ours, theirs in zip(learned.fitted.weights, network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_a_batch_larger_than_the_training_part_is_one_step_on_all_of_it():
    learned, _ = fit(batch_size=4_096, epochs=3)
    network, _ = fit_by_keras(LINEAR, "adam", seed=1, epochs=3, batch_size=len(SPLIT.train))
    np.testing.assert_allclose(learned.fitted.weights[0], network.get_weights()[0], atol=1e-5)


@pytest.mark.parametrize("model", [LINEAR, DEEP], ids=["linear", "deep RNN"])
def test_the_same_seed_gives_the_same_bits_and_another_seed_other_weights(model):
    first, again, other = (fit(model, seed=seed)[0].fitted.weights for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert np.abs(first[0] - other[0]).max() > 0.01


def test_a_program_is_used_again_and_a_fit_knows_nothing_of_the_one_before():
    program._programs.clear()
    fit(SIMPLEST, seed=1, learning_rate=0.001)
    reused, curve = fit(SIMPLEST, seed=2, learning_rate=0.02, epochs=3)
    assert len(program._programs) == 1
    program._programs.clear()
    fresh, fresh_curve = fit(SIMPLEST, seed=2, learning_rate=0.02, epochs=3)
    assert all(np.array_equal(a, b) for a, b in zip(reused.fitted.weights, fresh.fitted.weights, strict=True))
    assert [p.valid_loss for p in curve] == [p.valid_loss for p in fresh_curve]


def test_a_fitted_model_keeps_its_weights_when_its_program_trains_another():
    first, _ = fit(seed=1)
    before = first.fitted.predict(SPLIT.test.x)
    second, _ = fit(seed=2)
    assert np.array_equal(first.fitted.predict(SPLIT.test.x), before)
    assert not np.array_equal(second.fitted.predict(SPLIT.test.x), before)


def test_only_the_few_programs_used_last_are_kept():
    for batch_size in range(10, 10 + program.KEPT_PROGRAMS + 2):
        program.program_for(LINEAR, Shape.of(SPLIT), Training(batch_size=batch_size))
    kept = [key for key in program._programs]
    assert len(kept) == program.KEPT_PROGRAMS
    program.program_for(LINEAR, Shape.of(SPLIT), Training(batch_size=12))
    assert list(program._programs) == [*kept[1:], kept[0]]


def test_the_last_weights_are_kept_unless_the_best_are_asked_for():
    last, curve = fit(epochs=12, learning_rate=0.3)
    best, same_curve = fit(epochs=12, learning_rate=0.3, keep="best")
    losses = [progress.valid_loss for progress in curve]
    assert [progress.valid_loss for progress in same_curve] == losses
    assert [progress.epoch for progress in curve] == list(range(1, 13))
    assert min(losses) < losses[-1]
    assert last.best_epoch == best.best_epoch == int(np.argmin(losses)) + 1
    assert last.epochs == best.epochs == 12 and last.ended_early is None
    assert np.isclose(valid_loss(last.fitted), losses[-1], rtol=1e-6)
    assert np.isclose(valid_loss(best.fitted), min(losses), rtol=1e-6)


def test_early_stopping_waits_so_many_epochs_and_keeps_the_best_weights():
    learned, curve = fit(epochs=300, learning_rate=0.3, patience=4)
    losses = [progress.valid_loss for progress in curve]
    assert learned.epochs == len(curve) < 300
    assert learned.best_epoch == int(np.argmin(losses)) + 1 == learned.epochs - 4
    assert np.isclose(valid_loss(learned.fitted), min(losses), rtol=1e-6)
    _, patient = fit(epochs=len(curve), learning_rate=0.3)
    assert [progress.valid_loss for progress in patient] == losses


@pytest.mark.parametrize("model", [LINEAR, BATCH_NORMALISED], ids=["linear", "with a smaller group at the end"])
def test_a_busy_machine_cuts_epochs_into_other_blocks_and_comes_to_the_same_bits(model, monkeypatch):
    curves = []
    for seconds in (1e-9, 1e9):
        monkeypatch.setattr(training, "BLOCK_S", seconds)
        learned, curve = fit(model, epochs=3, batch_size=8)
        curves.append([(point.loss, point.valid_loss) for point in curve] + [w.tobytes() for w in learned.fitted.weights])
    assert curves[0] == curves[1]


@pytest.mark.parametrize("settings", [{}, {"keep": "best"}, {"patience": 3, "learning_rate": 0.3}, {"optimizer": "sgd"}])
def test_a_fit_that_goes_on_from_a_state_ends_where_one_long_fit_does(settings):
    whole, curve = fit(epochs=12, **settings)
    first, _ = fit(epochs=5, **settings)
    rest, further = fit(epochs=12, state=first.state, **settings)
    assert [(p.epoch, p.loss, p.valid_loss) for p in further] == [(p.epoch, p.loss, p.valid_loss) for p in curve[5:]]
    assert (rest.epochs, rest.best_epoch) == (whole.epochs, whole.best_epoch)
    for one, other in zip(rest.fitted.weights, whole.fitted.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert all(point.elapsed_s > first.state["elapsed_s"] for point in further)


def test_a_fit_with_a_cosine_that_is_continued_begins_another_one_where_it_ended():
    cosine = {"schedule": "cosine", "warm_up": 0.2, "learning_rate": 0.05}
    first, curve = fit(epochs=5, **cosine)
    whole, longer = fit(epochs=8, restarts=(5,), **cosine)
    assert [p.valid_loss for p in longer[:5]] == [p.valid_loss for p in curve]
    rest, further = fit(epochs=8, restarts=(5,), state=first.state, **cosine)
    assert [(p.epoch, p.loss, p.valid_loss) for p in further] == [(p.epoch, p.loss, p.valid_loss) for p in longer[5:]]
    for one, other in zip(rest.fitted.weights, whole.fitted.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    other, _ = fit(epochs=8, **cosine)
    assert np.abs(other.fitted.weights[0] - whole.fitted.weights[0]).max() > 1e-3


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"dropout": 0.3, "recurrent_dropout": 0.2}, marks=pytest.mark.long),
        pytest.param({"normalisation": "batch", "sequence_to": "sequence"}, marks=pytest.mark.slow),
        pytest.param({"normalisation": "layer", "dropout": 0.3}, marks=pytest.mark.long),
    ],
    ids=["dropout", "batch normalisation", "layer normalisation and dropout"],
)
def test_so_does_one_with_random_masks_or_running_means(params):
    model = resolve(ModelChoice(name="gru", params={"units": [3]} | params))
    whole, curve = fit(model, epochs=4)
    first, _ = fit(model, epochs=2)
    rest, further = fit(model, epochs=4, state=first.state)
    assert [(p.loss, p.valid_loss) for p in further] == [(p.loss, p.valid_loss) for p in curve[2:]]
    for one, other in zip(rest.fitted.weights, whole.fitted.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    again, _ = fit(model, epochs=4)
    for one, other in zip(again.fitted.weights, whole.fitted.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_state_with_all_the_epochs_trains_nothing_more():
    first, _ = fit(epochs=5)
    again, curve = fit(epochs=5, state=first.state)
    assert curve == [] and again.epochs == 5 and again.epoch_s == first.epoch_s
    for one, other in zip(again.fitted.weights, first.fitted.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_stop_ends_within_the_epoch_and_keeps_the_best_weights():
    learned, curve = fit(epochs=200, learning_rate=0.3, should_stop=lambda done: len(done) >= 12)
    losses = [progress.valid_loss for progress in curve]
    assert (learned.epochs, learned.ended_early) == (12, "stopped")
    assert min(losses) < losses[-1] and np.isclose(valid_loss(learned.fitted), min(losses), rtol=1e-6)


def test_a_stop_is_heard_within_an_epoch():
    asked = []

    def third_time(_):
        asked.append(None)
        return len(asked) == 3

    with pytest.raises(Stopped):
        fit(batch_size=1, should_stop=third_time)


def test_a_stop_before_the_first_epoch_leaves_nothing():
    with pytest.raises(Stopped):
        fit(should_stop=lambda _: True)


def test_a_loss_that_is_no_number_is_shown_and_refused_with_a_smaller_learning_rate():
    large = load(Waves(n_series=60, level=100), Task(input_size=8))
    seen = []
    with pytest.raises(Diverged, match=r"learning rate 10 is too high .* Try 1\.$"):
        fit(split=large, optimizer="sgd", learning_rate=10, epochs=50, on_epoch=seen.append)
    assert 1 <= len(seen) < 50
    assert not np.isfinite(seen[-1].loss) or not np.isfinite(seen[-1].valid_loss)
    assert all(np.isfinite(progress.loss) and np.isfinite(progress.valid_loss) for progress in seen[:-1])
    healthy, curve = fit(split=large)
    assert healthy.epochs == 2 and np.isfinite(curve[-1].loss)


def test_progress_tells_stages_fractions_and_epochs_in_order():
    heard = []
    LINEAR.fit(
        SPLIT,
        Control(
            Training(epochs=2, batch_size=2),
            on_stage=lambda stage: heard.append(stage),
            on_fraction=lambda epoch, share: heard.append((epoch, share)),
            on_epoch=lambda progress: heard.append(progress.epoch),
        ),
    )
    assert heard[0] == "compiling" and heard.index("training") < heard.index(1) < heard.index(2) == len(heard) - 1
    for epoch, when in ((1, heard[: heard.index(1)]), (2, heard[heard.index(1) :])):
        shares = [item[1] for item in when if isinstance(item, tuple) and item[0] == epoch]
        assert shares == sorted(set(shares)) and all(0 < share < 1 for share in shares)


def test_a_device_that_is_not_there_is_refused_and_those_that_are_are_named():
    with pytest.raises(BadInput, match=r"This machine has no GPU:99: choose one of CPU"):
        fit(device="GPU:99")
