"""Who may import whom: the page must not pay for TensorFlow, and the rooms depend on each other one way only."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "forecasting"
FILES = sorted(PACKAGE.rglob("*.py"))
IN_MODELS = ("cells", "networks", "program", "recurrent", "recurrent_cells", "training")
NETWORK_FILES = {f"models/{name}.py" for name in IN_MODELS}
LIGHT_FILES = [file for file in FILES if str(file.relative_to(PACKAGE)) not in NETWORK_FILES]
HEAVY = ("tensorflow", "keras", "statsmodels", "statsforecast", "streamlit")


def room(name: str) -> list[Path]:
    """The files of `forecasting/name/`, or `forecasting/name.py`."""
    path = PACKAGE / name
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    assert all(file.exists() for file in files)
    assert files
    return files


def modules(node: ast.stmt, file: Path) -> Iterator[str]:
    """The modules that an import statement may load: `from a import b` may mean the module `a.b`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parents = file.relative_to(ROOT).parts[: -node.level]
            base = ".".join([*parents, base]).rstrip(".")
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)


def imported(file: Path) -> set[str]:
    """Everything that a file imports, wherever in it the import stands."""
    return {name for node in ast.walk(ast.parse(file.read_text("utf-8"))) for name in modules(node, file)}


def imported_at_once(file: Path) -> set[str]:
    """What a file imports as soon as it is imported: not inside functions, and not for type checkers alone."""

    def walk(statements: list[ast.stmt]) -> Iterator[str]:
        for node in statements:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                yield from walk(node.orelse)
                continue
            yield from modules(node, file)
            for inner in ("body", "orelse", "finalbody"):
                yield from walk(getattr(node, inner, []))
            for handler in getattr(node, "handlers", []):
                yield from walk(handler.body)

    return set(walk(ast.parse(file.read_text("utf-8")).body))


def within(names: set[str], *roots: str) -> set[str]:
    return {name for name in names if any(name == root or name.startswith(f"{root}.") for root in roots)}


@pytest.mark.parametrize("module", ["forecasting", "forecasting.runs.engine", "forecasting.__main__"])
def test_importing_it_loads_no_heavy_library(module):
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert {"forecasting", "pydantic"} <= loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_dashboard_loads_neither_tensorflow_nor_keras_nor_a_statistical_library():
    views = [f"dashboard.{path.stem}" for path in (ROOT / "dashboard").glob("*.py") if path.stem != "page"]
    views += [f"dashboard.views.{path.stem}" for path in (ROOT / "dashboard" / "views").glob("*.py")]
    code = f"import sys, {', '.join(views)}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "streamlit" in done.stdout.split()
    assert set(done.stdout.split()).isdisjoint({"tensorflow", "keras", "statsmodels", "statsforecast"})


def test_the_readers_of_imports_see_what_there_is():
    """Guards the tests below against looking at nothing."""
    assert len(FILES) > 20
    assert "forecasting.models" in imported(PACKAGE / "fit.py")
    assert "forecasting.fit" in imported(PACKAGE / "runs" / "worker.py")
    assert "forecasting.fit" not in imported_at_once(PACKAGE / "runs" / "worker.py")
    assert "forecasting.models.networks" in imported(PACKAGE / "models" / "neural.py")
    assert "forecasting.models.networks" not in imported_at_once(PACKAGE / "models" / "neural.py")
    assert {"keras", "tensorflow"} <= imported_at_once(PACKAGE / "models" / "program.py")
    assert within({"kerasy", "keras.layers", "keras"}, "keras") == {"keras.layers", "keras"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_nothing_in_the_package_imports_streamlit_or_the_dashboard(file):
    assert within(imported(file), "streamlit", "dashboard") == set()


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        ("experiment", ("data", "models", "evaluation", "fit", "runs")),
        ("data", ("models", "evaluation", "fit", "runs")),
        ("models", ("evaluation", "fit", "runs")),
        ("evaluation", ("models", "fit", "runs")),
        ("fit", ("runs",)),
    ],
)
def test_the_rooms_import_each_other_one_way(name, forbidden):
    roots = [f"forecasting.{other}" for other in (*forbidden, "settings", "__main__")]
    for file in room(name):
        assert within(imported(file), *roots) == set(), file


@pytest.mark.parametrize("file", LIGHT_FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_only_the_network_files_import_keras_or_tensorflow_or_each_other_before_they_are_called(file):
    roots = [f"forecasting.{name.removesuffix('.py').replace('/', '.')}" for name in NETWORK_FILES]
    assert within(imported_at_once(file), "keras", "tensorflow", *roots) == set()
