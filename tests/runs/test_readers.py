"""Files are read in processes that are watched, replaced, and never believed."""

import gzip
import io
import json
import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from forecasting.data.reading import ReadOptions, read
from forecasting.data.reading.times import Question
from forecasting.data.reading.wire import Refusal
from forecasting.experiment import BadInput
from forecasting.runs import readers as module
from forecasting.runs.readers import Readers

ROOT = Path(__file__).parents[2]
TRAPS = ROOT / "tests" / "data" / "traps"
READABLE = [name for name, said in json.loads((TRAPS / "readings.json").read_text("utf-8")).items() if "error" not in said]
CLEAN = (TRAPS / "clean.csv").read_bytes()


@pytest.fixture(scope="module")
def readers():
    made = Readers(1_500)
    yield made
    made.close()


@pytest.fixture
def limited():
    """Makes readers that may take little; they end with the test."""
    made = []

    def make(**limits):
        made.append(Readers(**{"max_mb": 1_500, **limits}))
        return made[-1]

    yield make
    for each in made:
        each.close()


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# ----------------------------------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("name", READABLE)
def test_what_comes_through_the_process_is_what_read_gives(readers, name):
    content = (TRAPS / name).read_bytes()
    away, here = readers.read(content), read(content)
    pd.testing.assert_frame_equal(away.frame, here.frame)
    assert (away.summary(), away.columns) == (here.summary(), here.columns)


def test_the_choices_go_along_and_columns_of_all_kinds_come_back(readers):
    content, options = (
        (TRAPS / "long.csv").read_bytes(),
        ReadOptions(("date",), ("sales",), ("store", "item"), True, (-1.5,)),
    )
    away, here = readers.read(content, options), read(content, options)
    pd.testing.assert_frame_equal(away.frame, here.frame)
    assert away.frame["unique_id"].cat.ordered and away.frame["ds"].dtype == "datetime64[ns]"
    assert away.id_columns == ["store", "item"]


def test_one_process_reads_file_after_file(readers):
    readers.read(CLEAN)
    before = readers.pids
    for name in ("german.csv", "page.csv", "book.xlsx"):
        readers.read((TRAPS / name).read_bytes())
    assert readers.pids == before


def test_a_refusal_comes_back_with_its_words_its_kind_and_the_columns(readers):
    for name, columns in (("page.csv", []), ("ambiguous.csv", ["date", "y"]), ("no_time.csv", ["a", "b"])):
        content = (TRAPS / name).read_bytes()
        with pytest.raises(BadInput) as caught:
            read(content)
        refused = readers.read(content)
        assert isinstance(refused, Refusal)
        assert (type(refused.error), str(refused.error)) == (type(caught.value), str(caught.value))
        assert refused.columns == columns
    assert isinstance(readers.read((TRAPS / "ambiguous.csv").read_bytes()).error, Question)


def test_two_files_are_read_at_once_from_two_threads_and_a_third_waits(readers):
    names = ["clean.csv", "german.csv", "long.csv", "table.parquet", "units.csv", "weeks.csv"]
    ready = threading.Barrier(len(names))

    def work(name):
        ready.wait()
        return readers.read((TRAPS / name).read_bytes())

    with ThreadPoolExecutor(len(names)) as pool:
        found = list(pool.map(work, names))
    for name, reading in zip(names, found, strict=True):
        pd.testing.assert_frame_equal(reading.frame, read((TRAPS / name).read_bytes()).frame)
    assert len(readers.pids) == 2


# ---------------------------------------------------------------------------------------------------------------- limits


MEASURED = """
    import sys, resource
    import psutil
    from forecasting.runs.readers import Readers
    from tests.runs.test_readers import {made}
    content = {made}()
    readers = Readers(1_500)
    readers.read(b"ds,y\\n2024-01-01,1\\n2024-01-02,2\\n2024-01-03,3\\n")
    before = psutil.Process().memory_info().rss
    rows = len(readers.read(content).frame)
    print(rows, (psutil.Process().memory_info().rss - before) // 1_000_000)
    readers.close()
"""


def repeated_text():
    """0.3 MB that unfold into 39 MB."""
    days = pd.date_range("2000-01-01", periods=1_000)
    rows = "".join(f"{day:%Y-%m-%d},{i % 7}.5\n" for i, day in enumerate(days))
    return gzip.compress(f"time,value\n{2_600 * rows}".encode())


def repeated_table():
    """A Parquet file of three million rows in some 0.3 MB."""
    days, stream = pd.date_range("2000-01-01", periods=1_000).to_numpy(), io.BytesIO()
    pd.DataFrame({"ds": np.resize(days, 3_000_000), "y": np.resize(np.arange(7.0), 3_000_000)}).to_parquet(stream)
    return stream.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(("made", "rows"), [("repeated_text", 2_600_000), ("repeated_table", 3_000_000)])
def test_the_page_pays_for_what_was_read_and_not_for_the_reading(made, rows):
    code = textwrap.dedent(MEASURED.format(made=made))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    found, grown_mb = map(int, done.stdout.split())
    assert found == rows
    assert grown_mb < 200


def test_a_file_that_takes_too_much_memory_is_refused_and_the_process_replaced(limited):
    readers = limited(max_mb=20)
    readers.warm_up()
    before = readers.pids
    with pytest.raises(BadInput, match=r"more memory than the 20 MB allowed here: cut it down\."):
        readers.read(CLEAN)
    assert is_gone(before[0]) and readers.pids and readers.pids != before


def test_a_file_that_takes_too_long_is_refused_and_the_process_replaced(limited, monkeypatch):
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", "import time; time.sleep(60)"))
    readers = limited(max_s=0.3)
    readers.warm_up()
    before = readers.pids
    with pytest.raises(BadInput, match=r"takes more than 0 s to read: cut it down\."):
        readers.read(bytes(10_000_000))  # more than a pipe holds: the limit is kept while the file is handed over, too
    assert is_gone(before[0]) and readers.pids and readers.pids != before


def test_a_process_that_holds_much_after_a_file_is_replaced(limited, monkeypatch):
    readers = limited()
    readers.read(CLEAN)
    before = readers.pids
    monkeypatch.setattr(module, "GROWN_MB", 20)
    assert len(readers.read(CLEAN).frame) == 20
    assert is_gone(before[0]) and readers.pids and readers.pids != before


# ------------------------------------------------------------------------------------------------------ processes that fail


def test_a_process_that_was_killed_is_replaced(limited, eventually):
    readers = limited()
    readers.read(CLEAN)
    (pid,) = readers.pids
    psutil.Process(pid).kill()
    eventually(lambda: not readers.pids, 10)
    assert len(readers.read(CLEAN).frame) == 20
    assert readers.pids != [pid]


def test_a_file_in_the_middle_of_which_the_process_is_killed_is_refused_in_words(limited, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(module, "COMMAND", (sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"))
        readers = limited()
        with pytest.raises(BadInput, match="ended by signal 9: was memory short"):
            readers.read(CLEAN)
    readers.close()
    assert len(readers.read(CLEAN).frame) == 20


PICKLE = "import pickle; answer = pickle.dumps(print)"
HEADER = 'import json; head = json.dumps({}).encode(); answer = len(head).to_bytes(8) + {}.to_bytes(8) + head + b"{}"'


@pytest.mark.parametrize(
    "answer",
    [
        PICKLE + " * 100",
        "answer = b''",
        "answer = bytes(16)",
        "answer = b'\\xff' * 100",
        HEADER.format({"refused": {"message": 1}}, 0, ""),
        HEADER.format({"refused": []}, 0, ""),
        HEADER.format([], 0, ""),
        HEADER.format({}, 0, ""),
        HEADER.format(
            {"read": dict.fromkeys(["format", "encoding", "delimiter", "decimal", "frequency"], ".")
             | dict.fromkeys(["time_columns", "value_columns", "id_columns", "columns", "warnings", "sheets"], ["y"])},
            5, "arrow",
        ),
    ],
    ids=["pickle", "nothing", "zeros", "huge", "types", "list", "no-object", "empty", "no-table"],
)  # fmt: skip
def test_an_answer_that_is_none_is_a_plain_refusal_and_a_new_process(limited, monkeypatch, answer):
    header = f"import sys, time; {answer}; sys.stdout.buffer.write(answer); sys.stdout.flush(); time.sleep(0.3)"
    readers = limited()
    with monkeypatch.context() as patch:
        patch.setattr(module, "COMMAND", (sys.executable, "-c", header))
        readers.warm_up()
        before = readers.pids
        with pytest.raises(BadInput, match=r"^The process that reads files failed at this one: try again"):
            readers.read(CLEAN)
        assert is_gone(before[0])
    readers.close()
    assert len(readers.read(CLEAN).frame) == 20


def test_nothing_on_the_way_can_be_unpickled():
    code = (
        "import sys, pickle\n"
        "def refuse(*args, **more): raise SystemExit('something was unpickled')\n"
        "pickle.load = pickle.loads = pickle.Unpickler = pickle._loads = refuse\n"
        "from forecasting.runs.readers import Readers\n"
        f"print(len(Readers(1_500).read({CLEAN!r}).frame))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "20\n", done.stderr
    for name in ("data/reading/wire.py", "data/reading/apart.py", "runs/readers.py"):
        assert "pickle" not in (ROOT / "forecasting" / name).read_text("utf-8")


SERVE = """
import sys, threading, time
from forecasting.runs.readers import Readers
readers = Readers(4_000)
readers.warm_up()
if sys.argv[1] == "busy":
    rows = "".join(f"{1_000 + i // 366:04d}-01-01 00:00:00.{i:09d},{i}\\n" for i in range(3_000_000))
    threading.Thread(target=readers.read, args=(("time,value\\n" + rows).encode(),), daemon=True).start()
    time.sleep(1.0)
print(*readers.pids, flush=True)
threading.Event().wait(100)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_a_reader_ends_when_its_parent_was_killed(eventually, state):
    with subprocess.Popen([sys.executable, "-c", SERVE, state], cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            pid = int(server.stdout.readline())
            assert not is_gone(pid)
        finally:
            server.kill()
    eventually(lambda: is_gone(pid), 10)


def test_the_pages_process_does_not_read_a_file_itself(database_url):
    code = f"""
from unittest.mock import patch
from dashboard import computed, service
from forecasting.experiment import BadInput
def refuse(*args): raise SystemExit("the page has read a file itself")
with patch("forecasting.data.reading.read_table", refuse), patch("forecasting.data.reading.tables.read_table", refuse):
    assert len(computed.reader({CLEAN!r}).frame) == 20
    ambiguous = open({str(TRAPS / "ambiguous.csv")!r}, "rb").read()
    print(*computed.names_of(service.store().add_upload("ann", "a.csv", ambiguous, service.settings().quota), "")[0])
"""
    environment = {**os.environ, "FORECASTING_DATABASE_URL": database_url}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "date y\n", done.stderr
