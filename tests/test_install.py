"""The package, built and installed as anybody would, far from its checkout."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
NOTEBOOK = """
import numpy as np, pandas as pd, forecasting
df = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2020", periods=60, freq="MS"), "y": np.arange(60) % 12 + 1.0})
ahead = forecasting.forecast(df, 3, ["naive", "seasonal_naive"])
print(ahead.best, ahead.frame["seasonal_naive"].tolist(), forecasting.__version__, forecasting.__file__)
"""
PARTS = """
from pathlib import Path
import dashboard, forecasting
from forecasting.runs.store import Store
store = Store("sqlite:///lab.db")
folder = Path(next(iter(dashboard.__path__)))
print(all((folder / name).exists() for name in ("page.py", "icon.svg", ".streamlit/config.toml", "views/lab.py")))
print((Path(forecasting.__file__).parent / "py.typed").exists(), store.census())
"""


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that the wheel is installed in; what it needs is borrowed from this one."""
    folder = tmp_path_factory.mktemp("install")
    source = folder / "source"
    for name in ("forecasting", "dashboard"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "README.md"):
        shutil.copy(ROOT / name, source)
    pip = (sys.executable, "-m", "pip")
    run(*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder / "wheels", source, cwd=folder)
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    run(*pip, "--python", python, "install", "-q", "--no-deps", *(folder / "wheels").glob("*.whl"), cwd=folder)
    shutil.rmtree(source)
    return python.parent


def test_three_lines_forecast_a_frame(programs: Path, tmp_path: Path):
    said = run(programs / "python", "-c", NOTEBOOK, cwd=tmp_path).split()
    assert said[:4] == ["seasonal_naive", "[1.0,", "2.0,", "3.0]"] and said[4] == "0.1.0"
    assert said[5].startswith(str(programs.parent))


def test_everything_comes_along(programs: Path, tmp_path: Path):
    assert run(programs / "python", "-c", PARTS, cwd=tmp_path).split() == ["True", "True", "(0,", "0)"]
    assert "seasonal_naive" in run(programs / "forecasting", "models", cwd=tmp_path)
    assert "packages of forecasting-lab are installed, and fit" in run(programs / "forecasting", "doctor", cwd=tmp_path)


def test_importing_it_is_quick_because_it_loads_nothing(programs: Path, tmp_path: Path):
    code = "import forecasting, sys; print(*{'pandas', 'numpy', 'pydantic', 'tensorflow', 'streamlit'} & sys.modules.keys())"
    assert run(programs / "python", "-c", code, cwd=tmp_path).split() == []


def test_the_lock_of_the_image_has_a_version_of_all_that_is_required():
    lines = [line.split("#")[0].strip() for line in (ROOT / "Dockerfile.lock").read_text("utf-8").splitlines()]
    locked = dict(line.split("==") for line in lines if line)
    image = {"sys_platform": "linux", "platform_machine": "x86_64", "python_version": "3.12"}
    required = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()]
    for requirement in [Requirement(line) for line in required if line]:
        if requirement.marker is None or requirement.marker.evaluate(image):
            assert requirement.specifier.contains(locked[requirement.name.lower()]), requirement
