"""Who may import whom: the page must not pay for TensorFlow, and the rooms depend on each other one way only."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forecasting.models import MODELS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "forecasting"
FILES = sorted(PACKAGE.rglob("*.py"))
NETWORKS = PACKAGE / "models" / "networks"
LIGHT_FILES = [file for file in FILES if NETWORKS not in file.parents]
MEASURES_KERAS = PACKAGE / "studies" / "bench.py"
"""Trains with Keras' own `fit`, to compare."""
ORDER = ("cli", "studies", "runs", "panels", "evaluation", "models", "data", "experiment")
"""The rooms: each may import those after it."""
HEAVY = ("tensorflow", "keras", "statsmodels", "statsforecast", "streamlit")


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


def imported_when_run(file: Path) -> set[str]:
    """The same without what is imported for type checkers alone."""
    tree = ast.parse(file.read_text("utf-8"))
    typing = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    unseen = {id(inner) for node in typing for inner in ast.walk(node)}
    return {name for node in ast.walk(tree) if id(node) not in unseen for name in modules(node, file)}


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


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


def quoted(file: Path) -> set[str]:
    """The texts that stand in a file's code."""
    found = (node.value for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Constant))
    return {text for text in found if isinstance(text, str)}


def within(names: set[str], *roots: str) -> set[str]:
    return {name for name in names if any(name == root or name.startswith(f"{root}.") for root in roots)}


@pytest.mark.parametrize("module", ["forecasting.frames", "forecasting.runs.engine", "forecasting.__main__"])
def test_importing_it_loads_no_heavy_library(module):
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "forecasting" in loaded
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
    windows, worker, neural = (
        "forecasting.evaluation.windows",
        PACKAGE / "runs" / "worker.py",
        PACKAGE / "models" / "neural.py",
    )
    assert "forecasting.models" in imported(PACKAGE / "evaluation" / "windows.py")
    assert windows in imported_when_run(worker) and windows not in imported_at_once(worker)
    assert "forecasting.models.networks.build" in imported_when_run(neural)
    assert "forecasting.models.networks.build" not in imported_at_once(neural)
    assert {"keras", "tensorflow"} <= imported_at_once(NETWORKS / "program.py")
    assert within({"kerasy", "keras.layers", "keras"}, "keras") == {"keras.layers", "keras"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_nothing_in_the_package_imports_streamlit_or_the_dashboard(file):
    assert within(imported(file), "streamlit", "dashboard") == set()


@pytest.mark.parametrize("name", ORDER)
def test_the_rooms_import_each_other_one_way(name):
    above = [f"forecasting.{other}" for other in (*ORDER[: ORDER.index(name)], "__main__")]
    above += [] if name in ("cli", "studies", "runs") else ["forecasting.settings", "forecasting.doctor"]
    files = sorted((PACKAGE / name).rglob("*.py"))
    assert len(files) > 2
    for file in files:
        assert within(imported(file), *above) == set(), file


def test_no_files_import_each_other_in_a_circle():
    files = {module_of(file): file for folder in (PACKAGE, ROOT / "dashboard") for file in folder.rglob("*.py")}
    imports: dict[str, set[str]] = {}
    for name, file in files.items():
        found = imported_when_run(file) & files.keys()
        packages = {one.rpartition(".")[0] for one in found}  # `from package import module` asks the module alone
        imports[name] = {one for one in found if not (one in packages and name.startswith(f"{one}."))} - {name}
    assert any(imports.values())
    while leaves := [name for name, own in imports.items() if not own]:
        imports = {name: own - set(leaves) for name, own in imports.items() if own}
    assert imports == {}


@pytest.mark.parametrize("file", LIGHT_FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_only_the_network_files_import_keras_or_tensorflow_and_the_others_load_them_when_they_are_called(file):
    assert within(imported_at_once(file), "forecasting.models.networks") == set()
    libraries = within(imported_when_run(file), "keras", "tensorflow")
    assert libraries if file == MEASURES_KERAS else not libraries


WORDS_OF_THEIR_OWN = {"linear", "lstm", "gru"}
"""Names of models that are also words for a trend, an activation, a cell."""
NAMES_MODELS = {
    PACKAGE / name
    for name in ("experiment/__init__.py", "experiment/formats.py", "studies/chapter.py", "studies/recipes.py")
}
"""The files that say what the chapter compares, what texts of earlier versions meant, and what recipes set."""


def test_all_that_is_said_about_a_model_stands_on_its_class_and_its_name_nowhere_else():
    names = MODELS.keys() - WORDS_OF_THEIR_OWN
    files = [file for file in [*FILES, *(ROOT / "dashboard").rglob("*.py")] if PACKAGE / "models" not in file.parents]
    assert {file for file in files if quoted(file) & names} == NAMES_MODELS
