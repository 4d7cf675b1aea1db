"""The documents cannot drift: their code runs, their tables, trees and links are those of the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from forecasting.models import MODELS, Shape
from forecasting.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
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


@pytest.mark.parametrize(("page", "table"), [("models", model_table), ("settings", settings_table)])
def test_the_tables_are_those_of_the_code(page, table):
    assert table() in (ROOT / "docs" / f"{page}.md").read_text("utf-8"), f"Put this into docs/{page}.md:\n{table()}"


def test_the_python_blocks_run():
    blocks = [block for page in PAGES for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)]
    assert len(blocks) >= 2
    for block in blocks:
        done = subprocess.run([sys.executable, "-c", block], cwd=ROOT, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr[-2000:]
        shown = re.findall(r"# prints (.*)", block)
        assert [line.strip() for line in done.stdout.splitlines()] == shown


def test_every_command_that_is_shown_is_one():
    shown = {command for page in PAGES for command in re.findall(r"python -m forecasting ([a-z]+)", page.read_text("utf-8"))}
    done = subprocess.run(
        [sys.executable, "-m", "forecasting", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert len(shown) > 8
    for command in shown:
        assert re.search(rf"^│ {command} ", done.stdout, re.MULTILINE), command


def tree_of(page: Path) -> dict[str, bool]:
    """The paths of a page's tree, and whether each is a folder."""
    tree = re.search(r"```text\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    assert tree is not None
    path: list[str] = []
    found = {}
    for indent, name in re.findall(r"^( *)(\S+)", tree[1], flags=re.MULTILINE):
        path = [*path[: len(indent) // 2], name.rstrip("/")]
        found["/".join(path)] = name.endswith("/")
    return found


def test_one_page_names_every_file_once():
    found = [name for name, folder in tree_of(ROOT / "docs" / "how-it-works.md").items() if not folder]
    real = [
        str(file.relative_to(ROOT))
        for folder in ("forecasting", "dashboard")
        for file in (ROOT / folder).rglob("*.py")
        if file.stat().st_size and "versions" not in file.parts
    ]
    assert sorted(name for name in found if name.endswith(".py")) == sorted(real)
    for name in found:
        assert (ROOT / name).exists(), name


def test_the_readme_names_every_folder_of_code():
    real = {
        str(file.parent.relative_to(ROOT))
        for folder in ("forecasting", "dashboard")
        for file in (ROOT / folder).rglob("*.py")
    }
    named = tree_of(ROOT / "README.md")
    assert {name for name in named if name not in ("docs", "tests")} == {name for name in real if "versions" not in name}
    assert all(named.values()) and all((ROOT / name).is_dir() for name in named)
    assert len(README.splitlines()) <= 200


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_files_that_pages_name_are_there():
    named = r"`((?:forecasting|dashboard|tests|docs)/[\w/.-]+)`"
    assert sum(len(re.findall(named, page.read_text("utf-8"))) for page in PAGES) > 20
    for page in PAGES:
        for name in re.findall(named, page.read_text("utf-8")):
            assert (ROOT / name).exists() or name == "tests/browser/screenshots/", f"{page.name}: {name}"


def test_ci_runs_the_command_that_the_readme_gives():
    install = "python3 -m venv .venv && .venv/bin/pip install -q -r tests/requirements.txt"
    command = f"{install} && .venv/bin/python -m pytest"
    assert command in README
    assert command in (ROOT / ".ci" / "run").read_text("utf-8")
