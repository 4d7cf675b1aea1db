"""`python -m forecasting doctor` on this machine, and on one that is set up wrongly."""

import sys
from collections.abc import Callable
from pathlib import Path

from forecasting import doctor
from tests.cli.test_command_line import called, lab


def examined(tmp_path: Path, run: Callable = called, **environment: str) -> tuple[int, dict[str, str]]:
    """What the command says, by subject, and its exit status; within this process unless another `run` is given."""
    done = run("doctor", **({"FORECASTING_DATABASE_URL": f"sqlite:///{tmp_path / 'lab.db'}"} | environment))
    assert done.stderr == ""
    lines = [line.partition(": ") for line in done.stdout.splitlines()]
    return done.returncode, {subject[2:]: f"{subject[0]} {words}" for subject, _, words in lines}


def test_a_machine_that_runs_these_tests_is_well(tmp_path):
    status, said = examined(tmp_path, lab, FORECASTING_SLOTS="1", FORECASTING_CACHE_DIR=str(tmp_path / "programs"))
    assert status == 0, said
    assert said["Python"] == f"✓ Python {sys.version.split()[0]}."
    assert said["packages"].startswith("✓ All")
    assert "compiles programs" in said["TensorFlow"]
    assert said["GPU"][0] in "✓·"
    assert "1 fit trains at the same time" in said["memory"]
    assert "holds 0 runs" in said["database"]
    assert said["compiled programs"].startswith(f"✓ They are kept in {tmp_path}")
    assert {"temporary folder", "browser", "PostgreSQL"} < said.keys()


def test_what_is_wrong_is_said_with_what_to_do_and_no_password(tmp_path):
    status, said = examined(
        tmp_path,
        FORECASTING_SLOTS="64",
        FORECASTING_WORKER_MB="100000",
        FORECASTING_DATABASE_URL="postgresql://lab:secret@127.0.0.1:1/lab",
        FORECASTING_CACHE_DIR="/proc/nowhere",
    )
    assert status == 1
    assert said["memory"].startswith("✗") and said["memory"].endswith("lower FORECASTING_SLOTS or FORECASTING_WORKER_MB.")
    assert said["database"].startswith("✗ The database postgresql://lab:***@127.0.0.1:1/lab cannot be opened")
    assert "secret" not in str(said)
    assert said["compiled programs"].startswith("· They cannot be kept")


def test_a_setting_that_cannot_be_used_is_named(tmp_path):
    status, said = examined(tmp_path, FORECASTING_MAX_EPOCHS="many")
    assert status == 1
    assert said["settings"].startswith("✗ FORECASTING_MAX_EPOCHS is 'many'")


def test_missing_and_old_packages_are_named(tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("numpy>=2\nnumpy>=99 # too new\nno-such-package>=1\nfor-old-ones>=9; python_version < '3'\n")
    found = doctor.packages(requirements)
    assert found.verdict == "wrong"
    assert "numpy>=99 (installed: " in found.words and "no-such-package>=1 (installed: none)" in found.words
    assert "for-old-ones" not in found.words
