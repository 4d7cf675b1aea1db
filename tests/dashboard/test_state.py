"""The address: what a page writes there restores it, and what strangers write there does no harm."""

import base64
import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.state import decode, encode
from forecasting import BadInput, Experiment, ModelChoice, Sample, Task, Training, Waves
from tests.test_experiment import HOSTILE, MEGABYTES, is_one_clear_sentence, read_or_refuse

experiments = st.builds(
    Experiment,
    source=st.one_of(
        st.builds(
            Waves,
            n_series=st.integers(10, 50_000),
            noise_width=st.floats(0, 2),
            trend=st.sampled_from(["none", "linear", "exponential"]),
            n_steps=st.none() | st.integers(2, 2_000),
            seed=st.integers(0, 2**31 - 1),
        ),
        st.builds(Sample, name=st.sampled_from(["sunspots", "co2"])),
    ),
    task=st.builds(
        Task, input_size=st.integers(1, 2_000), target=st.sampled_from(["next", "at_h", "all_h"]), h=st.integers(1, 200)
    ),
    models=st.just((ModelChoice(name="naive"), ModelChoice(name="gru", params={"units": [3, 5]}))),
    training=st.builds(Training, epochs=st.integers(1, 500), patience=st.none() | st.integers(1, 1_000)),
    seeds=st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=20, unique=True).map(tuple),
)


def packed(content: object) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(content).encode())).rstrip(b"=").decode()


@given(experiments)
@settings(max_examples=150, deadline=None)
def test_an_address_restores_the_experiment_that_it_was_made_from(experiment: Experiment):
    assert decode(encode(experiment)) == experiment


def test_the_chapters_experiment_needs_almost_no_address():
    assert len(encode(Experiment())) < 30


@given(st.text(max_size=300) | st.binary(max_size=200).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
@settings(max_examples=300, deadline=None)
def test_any_text_is_an_experiment_or_refused_in_one_sentence(text: str):
    try:
        assert isinstance(decode(text), Experiment)
    except BadInput as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"task": {"input_size": 0}}, "input_size"),
        ({"task": {"input_size": "many"}}, "input_size"),
        ({"surprise": 1}, "surprise"),
        ({"models": [{"name": "crystal_ball"}]}, "no model 'crystal_ball'"),
        ({"models": [{"name": "gru", "params": {"units": [0]}}]}, "GRU"),
        ({"seeds": [1, 1]}, "listed twice"),
        ({"task": {"train": 0.8, "valid": 0.2}}, "nothing for the test part"),
        ([], "cannot be used"),
    ],
)
def test_what_is_wrong_in_an_address_is_said(content: object, says: str):
    with pytest.raises(BadInput, match=says):
        decode(packed(content))


def test_a_small_address_that_unfolds_into_a_flood_is_refused():
    bomb = base64.urlsafe_b64encode(zlib.compress(b" " * 50_000_000, 9)).decode()
    with pytest.raises(BadInput):
        decode(bomb)
    with pytest.raises(BadInput, match="damaged"):
        decode(base64.urlsafe_b64encode(zlib.compress(b" " * 10_000_000, 9)).decode()[:19_000])


# --------------------------------------------------------------------------------------------- what a stranger may send


def folded(content: bytes) -> str:
    """A content as an address holds it."""
    return base64.urlsafe_b64encode(zlib.compress(content)).rstrip(b"=").decode()


def encodable(text: str) -> bytes:
    """A text as bytes; lone surrogates as the bytes that a careless writer makes of them, which are no UTF-8."""
    return text.encode("utf-8", "surrogatepass")


@given(HOSTILE)
@settings(max_examples=150, deadline=None)
def test_whatever_a_stranger_folds_into_an_address_is_an_experiment_or_refused_in_one_clear_sentence(text: str):
    experiment = read_or_refuse(decode, folded(encodable(text)), within_s=1)
    if experiment is not None:
        assert decode(encode(experiment)) == experiment


@given(HOSTILE | st.text(st.characters(), max_size=300) | st.binary(max_size=300).map(folded))
@settings(max_examples=150, deadline=None)
def test_whatever_stands_in_an_address_is_refused_in_one_clear_sentence(text: str):
    read_or_refuse(decode, text, within_s=1)


@pytest.mark.parametrize("text", MEGABYTES.values(), ids=MEGABYTES.keys())
def test_a_megabyte_in_an_address_is_refused_soon_folded_or_not(text: str):
    assert read_or_refuse(decode, text, within_s=1) is None
    assert read_or_refuse(decode, folded(text.encode()), within_s=1) is None


@given(experiments, st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_an_address_with_one_letter_changed_is_another_experiment_or_refused(experiment: Experiment, at: int, by: int):
    text = encode(experiment)
    at %= len(text)
    read_or_refuse(decode, text[:at] + chr(ord(text[at]) ^ by) + text[at + 1 :], within_s=1)
    read_or_refuse(decode, text[:at], within_s=1)


def test_what_follows_a_whole_content_in_an_address_changes_nothing_or_is_refused():
    whole = zlib.compress(Experiment().canonical().encode())
    for tail in (b"\0", b"x" * 1_000, whole):
        try:
            assert decode(base64.urlsafe_b64encode(whole + tail).decode()) == Experiment()
        except BadInput as refused:
            assert is_one_clear_sentence(str(refused))
