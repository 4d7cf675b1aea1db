"""The documents cannot drift: their code runs, their tables, trees and links are those of the code. Docstrings name
arguments and attributes that are there."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
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


Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def documented() -> Iterator[tuple[str, Documented]]:
    """Every function and class of the code, and where it stands."""
    for folder in ("forecasting", "dashboard"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, Documented):
                    yield f"{file.relative_to(ROOT)}:{node.lineno} {node.name}", node


def named_in(node: Documented, section: str) -> set[str]:
    """The names that a section of a docstring lists: `name: …` or `one, another: …`, indented by four."""
    docstring = ast.get_docstring(node) or ""
    found = re.search(rf"^{section}:\n((?:    .*\n?)+)", docstring, flags=re.MULTILINE)
    assert found or f"{section}:" not in docstring.splitlines(), f"{node.name}: nothing is listed under {section}"
    entries = re.findall(r"^ {4}(?! )(.*)", found[1], flags=re.MULTILINE) if found else []
    return {name.strip() for entry in entries for name in entry.split(":")[0].split(",")}


def parameters(node: Documented) -> set[str]:
    """Those of a function; of a class, those of its constructor."""
    if isinstance(node, ast.ClassDef):
        return next((parameters(one) for one in node.body if getattr(one, "name", "") == "__init__"), set())
    given = node.args
    optional = [one for one in (given.vararg, given.kwarg) if one is not None]
    return {one.arg for one in [*given.posonlyargs, *given.args, *given.kwonlyargs, *optional]}


def attributes(node: ast.ClassDef) -> set[str]:
    """The fields of a class, its properties, and what its methods set on `self`."""
    found = {one.target.id for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)}
    for method in (one for one in node.body if isinstance(one, ast.FunctionDef)):
        if {ast.unparse(decorator) for decorator in method.decorator_list} & {"property", "cached_property"}:
            found.add(method.name)
        set_here = (one for one in ast.walk(method) if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store))
        found |= {one.attr for one in set_here if ast.unparse(one.value) == "self"}
    return found


def test_docstrings_name_arguments_and_attributes_that_are_there():
    n_args = n_attributes = 0
    for where, node in documented():
        listed = named_in(node, "Args")
        assert listed <= parameters(node), f"{where}: {listed - parameters(node)}"
        n_args += bool(listed)
        if isinstance(node, ast.ClassDef):
            listed = named_in(node, "Attributes")
            assert listed <= attributes(node), f"{where}: {listed - attributes(node)}"
            n_attributes += bool(listed)
    assert n_args > 100 and n_attributes > 20
