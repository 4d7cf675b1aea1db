"""The Guide by Streamlit's own test harness: links, and what it refuses to show too early."""

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import service


@pytest.fixture(autouse=True)
def shared(tmp_path, monkeypatch):
    """An empty database, and an engine that sleeps: nothing is trained here."""
    monkeypatch.setenv("FORECASTING_DATABASE_URL", f"sqlite:///{tmp_path / 'lab.db'}")
    monkeypatch.setattr(service, "_store", None)
    monkeypatch.setattr(service, "engine", lambda: SimpleNamespace(wake=service.store))
    service.settings.cache_clear()
    yield
    service.settings.cache_clear()


def guide(step="1", **address):
    """The page at a step."""

    def script():
        import streamlit as st

        from dashboard.views import guide, lab

        st.session_state["pages"] = {"lab": st.Page(lab.page, title="Lab")}
        guide.page()

    page = AppTest.from_function(script, default_timeout=60)
    page.query_params["step"] = step
    page.query_params["quick"] = "1"
    for name, value in address.items():
        page.query_params[name] = value
    return page.run()


@pytest.mark.parametrize(("step", "shown"), [("1", "Step 1 of 10"), ("7", "Step 7 of 10"), ("0", "Step 1 of 10")])
def test_a_link_opens_its_step(step, shown):
    page = guide(step)
    assert not page.exception
    assert shown in [caption.value for caption in page.caption]


@pytest.mark.parametrize("step", ["11", "99"])
def test_the_last_step_is_the_end(step):
    assert guide(step).header[0].value == "What the text leaves out"


@pytest.mark.parametrize("step", ["-3", "two", "", "9" * 50, "１"])
def test_a_step_that_is_none_is_a_step_all_the_same(step):
    page = guide(step)
    assert not page.exception and "of 10" in " ".join(caption.value for caption in page.caption)


def test_the_answer_comes_after_the_guess_and_stays_in_the_table():
    page = guide()
    assert not page.dataframe and "You guessed" not in " ".join(text.value for text in page.markdown)
    assert ["guide-series" in chart.proto.id for chart in page.get("plotly_chart")] == [True]
    page.get("button_group")[0].set_value(0.05).run()
    next(button for button in page.button if button.label == "Run it").click().run()
    assert not page.exception
    said = " ".join(text.value for text in page.markdown)
    assert "You guessed 0.05" in said and "The text says 0.02" in said
    assert ["guide-forecast" in chart.proto.id for chart in page.get("plotly_chart")] == [True], "naive has no curve"
    table = page.dataframe[0].value
    assert list(table["Model"]) == ["Naive"] and table["In the text"][0] == 0.02
    assert 0.01 < table["Here"][0] < 0.03
    next(button for button in page.button if button.label == "Next").click().run()
    assert "Step 2 of 10" in [caption.value for caption in page.caption]
    assert list(page.dataframe[0].value["Model"]) == ["Naive"]


def test_whoever_comes_back_from_another_page_finds_the_step_that_was_left():
    page = guide(step="4")
    for name in list(page.query_params):
        del page.query_params[name]
    page.run()
    assert "Step 4 of 10" in [caption.value for caption in page.caption]
    assert page.query_params["quick"] in ("1", ["1"])


def test_guesses_are_kept_in_the_address_and_a_reload_brings_the_table_back():
    page = guide()
    page.get("button_group")[0].set_value(0.05).run()
    next(button for button in page.button if button.label == "Run it").click().run()
    assert page.query_params["guesses"] in ("1-0.05", ["1-0.05"])
    again = guide(step="2", guesses="1-0.05")
    assert not again.exception and list(again.dataframe[0].value["Model"]) == ["Naive"]
    assert "You guessed 0.05" in " ".join(text.value for text in guide(guesses="1-0.05").markdown)


@pytest.mark.parametrize("guesses", ["", "1", "1-", "0-0.05", "99-0.05", "1-0.0499", "1-nan", "-_-_", "a-b" * 5_000])
def test_guesses_that_nobody_can_have_made_are_left_out(guesses):
    page = guide(guesses=guesses)
    assert not page.exception and not page.dataframe


def test_a_step_under_way_can_be_stopped():
    page = guide(step="3")
    page.get("button_group")[0].set_value(0.01).run()
    next(button for button in page.button if button.label == "Run it").click().run()
    assert not page.exception
    run_id = service.store().recent_runs(visitor_of(page))[0][0]
    assert not service.store().run(run_id).ended
    next(button for button in page.button if button.label == "Stop").click().run()
    assert not page.exception
    assert {fit.status for fit in service.store().run(run_id).fits} == {"cancelled"}
    page.run()
    assert any(button.label == "Run it" for button in page.button)


def visitor_of(page):
    """The id under which a page without cookies starts its runs."""
    return page.session_state["visitor"]
