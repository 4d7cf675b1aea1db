"""The folder for compiled programs: what workers share through it, and what happens when it makes trouble."""

import os
from pathlib import Path

import pytest

from forecasting.runs import compile_cache
from forecasting.runs.engine import Engine
from forecasting.runs.worker_process import Guard


@pytest.fixture
def fit_in_a_new_worker(store, small, eventually):
    """Fit something in a worker of its own that may keep programs in a folder; return how it ended and its worker's pid."""

    def fit(root: Path):
        engine = Engine(store, slots=1, guard=Guard(cache_dir=str(root)))
        engine.start()
        try:
            run_id = store.start_run(small("simple_rnn", input_size=11), "somebody")
            engine.wake()
            eventually(lambda: store.run(run_id).ended)
            return store.run(run_id).fits[-1]
        finally:
            engine.close()

    return fit


def kept(root: Path) -> dict[str, int]:
    """The programs in a folder, and when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in root.glob(f"*/{compile_cache.MARK}*")}


@pytest.mark.slow
def test_a_second_worker_uses_what_the_first_has_compiled(fit_in_a_new_worker, tmp_path):
    assert fit_in_a_new_worker(tmp_path).status == "finished"
    first = kept(tmp_path)
    assert first
    assert fit_in_a_new_worker(tmp_path).status == "finished"
    assert kept(tmp_path) == first, "the same programs have served, and none was compiled anew"


@pytest.mark.long
def test_broken_programs_are_dropped_and_cost_no_fit(fit_in_a_new_worker, tmp_path):
    fit_in_a_new_worker(tmp_path)
    before = kept(tmp_path)
    for path in tmp_path.glob(f"*/{compile_cache.MARK}*"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    fit = fit_in_a_new_worker(tmp_path)
    assert (fit.status, fit.reason) == ("finished", None)
    assert kept(tmp_path).keys() == before.keys()
    assert fit_in_a_new_worker(tmp_path).status == "finished", "what is kept now is whole"


@pytest.mark.parametrize("trouble", ["none", "blank", "open to others", "not a folder", "full"])
def test_a_folder_that_cannot_be_trusted_is_not_used(tmp_path, monkeypatch, trouble):
    root = tmp_path / ("with blank" if trouble == "blank" else "programs")
    if trouble == "open to others":
        Path(compile_cache.usable(str(root))).chmod(0o777)
    elif trouble == "not a folder":
        root.write_text("a file")
    elif trouble == "full":
        monkeypatch.setattr(compile_cache, "ROOM_MB", 10**9)
    assert compile_cache.usable("" if trouble == "none" else str(root)) == ""


def test_what_was_used_longest_ago_is_dropped_when_there_is_too_much(tmp_path, monkeypatch):
    folder = Path(compile_cache.usable(str(tmp_path)))
    assert folder.stat().st_mode & 0o777 == 0o700
    for age in range(4):
        path = folder / f"{compile_cache.MARK}__{age}.pb"
        path.write_bytes(bytes(400_000))
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    monkeypatch.setattr(compile_cache, "MOST_MB", 1)
    assert compile_cache.usable(str(tmp_path)) == str(folder)
    assert sorted(path.name for path in folder.iterdir()) == [f"{compile_cache.MARK}__{age}.pb" for age in (0, 1)]
