"""The README cannot drift: its code runs, its tables and its tree are those of the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from forecasting.models import MODELS, Shape
from forecasting.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def model_table() -> str:
    columns = ("model", "name", "group", "parameters to choose", "what it does", "learns, next step · ten")
    lines = [f"| {' | '.join(columns)} |", "|---|---|---|---|---|--:|"]
    for name, model in MODELS.items():
        fields = ", ".join(f"`{field}`" for field in model.model_fields) or "–"
        counts = " · ".join(f"{model().n_parameters(Shape(50, 1, n_outputs)):,}" for n_outputs in (1, 10))
        counts = "anew for each window" if model.local else "nothing by itself" if model.combines else counts
        what = f"{model.description} ${model.formula}$"
        lines.append(f"| {model.title} | `{name}` | {model.group} | {fields} | {what} | {counts} |")
    return "\n".join(lines)


def settings_table() -> str:
    lines = ["| variable | meaning |", "|---|---|"]
    lines += [f"| `FORECASTING_{name.upper()}` | {field.description} |" for name, field in Settings.model_fields.items()]
    return "\n".join(lines)


@pytest.mark.parametrize("table", [model_table, settings_table])
def test_the_tables_are_those_of_the_code(table):
    assert table() in README, f"Put this into README.md:\n{table()}"


def test_the_python_blocks_run():
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        done = subprocess.run([sys.executable, "-c", block], cwd=ROOT, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr[-2000:]
        shown = re.findall(r"# prints (.*)", block)
        assert [line.strip() for line in done.stdout.splitlines()] == shown


def test_the_file_tree_names_every_file_once():
    tree = re.search(r"```text\n(.*?)```", README, flags=re.DOTALL)
    assert tree is not None
    named = re.findall(r"^( *)(\S+)", tree[1], flags=re.MULTILINE)
    path: list[str] = []
    found = []
    for indent, name in named:
        path = [*path[: len(indent) // 2], name.rstrip("/")]
        if not name.endswith("/"):
            found.append("/".join(path))
    real = [
        str(file.relative_to(ROOT))
        for folder in ("docs", "forecasting", "dashboard")
        for file in (ROOT / folder).rglob("*.py")
        if file.stat().st_size and "versions" not in file.parts
    ]
    assert sorted(name for name in found if name.endswith(".py")) == sorted(real)
    for name in found:
        assert (ROOT / name).exists(), name


def test_ci_runs_the_command_that_the_readme_gives():
    install = "python3 -m venv .venv && .venv/bin/pip install -q -r tests/requirements.txt"
    command = f"{install} && .venv/bin/python -m pytest"
    assert command in README
    assert command in (ROOT / ".ci" / "run").read_text("utf-8")
