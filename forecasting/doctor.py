"""What is right and wrong on this machine, in plain words: `python -m forecasting doctor`."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from forecasting.experiment import BadInput
from forecasting.runs.compile_cache import usable
from forecasting.runs.database import Unavailable, without_password
from forecasting.runs.machine import cores, memory_mb
from forecasting.runs.store import Store
from forecasting.settings import SERVER_MB, Settings

Verdict = Literal["right", "note", "wrong"]
PYTHONS = ((3, 11), (3, 13))
PACKAGE = "forecasting-lab"
REQUIREMENTS = Path(__file__).parents[1] / "requirements.txt"
ENOUGH_MB = 500
"""Free space below which a disk is nearly full."""
TENSORFLOW = """
import json, time
began = time.monotonic()
import tensorflow as tf
imported_s = time.monotonic() - began
step = tf.function(lambda x: tf.reduce_sum(x * x), jit_compile=True, autograph=False)
worked = float(step(tf.constant([3.0, 4.0]))) == 25.0
gpus = [device.name for device in tf.config.list_physical_devices("GPU")]
print(json.dumps({"version": tf.__version__, "imported_s": imported_s, "worked": worked, "gpus": gpus}))
"""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    about: str
    verdict: Verdict
    words: str


def examine() -> Iterator[Finding]:
    """Look at everything, one thing after the other."""
    yield _python()
    yield packages()
    yield from _tensorflow()
    try:
        settings = Settings.read()
    except BadInput as error:
        yield Finding("settings", "wrong", str(error))
        return
    yield Finding("settings", "right", "Every FORECASTING_ variable of the environment can be used.")
    yield _memory(settings)
    yield _database(settings)
    yield _folder("temporary folder", Path(tempfile.gettempdir()))
    yield _programs(settings)
    yield _program("browser", ("chromium", "chromium-browser", "google-chrome"), "chromium")
    yield _program("PostgreSQL", tuple(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb"))), "postgresql")


def _python() -> Finding:
    low, high = PYTHONS
    version = ".".join(map(str, sys.version_info[:3]))
    if low <= sys.version_info[:2] <= high:
        return Finding("Python", "right", f"Python {version}.")
    wanted = f"{low[0]}.{low[1]} to {high[0]}.{high[1]}"
    return Finding("Python", "wrong", f"Python {version}: TensorFlow has packages for {wanted}; take one of these.")


def packages(requirements: Path = REQUIREMENTS) -> Finding:
    """Compare what is installed with what is required, by the file or, without a checkout, by the installed package."""
    try:
        lines = [line.split("#")[0].strip() for line in requirements.read_text("utf-8").splitlines()]
        name, advice = requirements.name, f"pip install -r {requirements.name}"
    except FileNotFoundError:
        try:
            lines, name, advice = importlib.metadata.requires(PACKAGE) or [], PACKAGE, f"pip install {PACKAGE}"
        except importlib.metadata.PackageNotFoundError:
            return Finding("packages", "note", f"{requirements.name} is not there to compare with.")
    wanted = [Requirement(line) for line in lines if line]
    wrong = []
    for requirement in wanted:
        if requirement.marker is None or requirement.marker.evaluate():
            installed = _installed(requirement.name)
            if installed is None or not requirement.specifier.contains(installed, prereleases=True):
                wrong.append(f"{requirement.name}{requirement.specifier} (installed: {installed or 'none'})")
    if wrong:
        return Finding("packages", "wrong", f"These are missing or of another version: {', '.join(wrong)}. Do: {advice}.")
    return Finding("packages", "right", f"All {len(wanted)} packages of {name} are installed, and fit.")


def _installed(name: str) -> str | None:
    names = (name, "tensorflow") if name == "tensorflow-cpu" else (name,)  # the GPU build takes the place of the other
    for one in names:
        try:
            return importlib.metadata.version(one)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _tensorflow() -> Iterator[Finding]:
    """Let another process import TensorFlow and compile a program, as workers do."""
    done = subprocess.run([sys.executable, "-c", TENSORFLOW], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        yield Finding("TensorFlow", "wrong", f"TensorFlow cannot be used: {last[:300]}")
        return
    seen = json.loads(done.stdout.splitlines()[-1])
    slow = seen["imported_s"] > 6
    words = f"TensorFlow {seen['version']} was imported in {seen['imported_s']:.1f} s and compiles programs."
    advice = " That is slow: is bytecode missing (python -m compileall), or the disk cold?" if slow else ""
    yield Finding("TensorFlow", "right" if seen["worked"] and not slow else "note", words + advice)
    if seen["gpus"]:
        yield Finding("GPU", "right", f"{len(seen['gpus'])} seen: {', '.join(seen['gpus'])}. Choose it under Training.")
    else:
        why = "To use one: an NVIDIA driver, and the GPU build (README, Run it)."
        yield Finding("GPU", "note", f"None seen, networks train on the CPU. {why}")


def _memory(settings: Settings) -> Finding:
    n, has = settings.n_slots, memory_mb()
    needs = SERVER_MB + n * settings.worker_mb
    words = f"{cores()} cores and {has:,} MB: {n} {'fit trains' if n == 1 else 'fits train'} at the same time"
    if needs > has:
        return Finding(
            "memory", "wrong", f"{words}, which may take {needs:,} MB: lower FORECASTING_SLOTS or FORECASTING_WORKER_MB."
        )
    return Finding("memory", "right", f"{words}, and may take {needs:,} MB.")


def _database(settings: Settings) -> Finding:
    try:
        store = Store(settings.database_url)
        store.sweep()
        count, stored = store.census()
    except (BadInput, Unavailable) as error:
        return Finding("database", "wrong", str(error))
    where = without_password(settings.database_url)
    words = f"{where} holds {count:,} runs; {stored / 1e6:,.0f} of {settings.max_stored_mb:,} MB are used."
    full = stored > 0.9 * settings.max_stored_mb * 1e6
    return Finding("database", "note" if full else "right", words + (" It is nearly full." if full else ""))


def _folder(about: str, folder: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"written")
        free = shutil.disk_usage(folder).free // 1_000_000
    except OSError as error:
        return Finding(about, "wrong", f"{folder} cannot be written ({error.strerror}): workers need it.")
    nearly_full = free < ENOUGH_MB
    return Finding(about, "note" if nearly_full else "right", f"{folder} can be written; {free:,} MB are free.")


def _programs(settings: Settings) -> Finding:
    folder = usable(settings.cache_dir)
    if folder:
        return Finding("compiled programs", "right", f"They are kept in {folder}.")
    why = "every worker compiles its own. FORECASTING_CACHE_DIR names a folder for them, that only this user can write to"
    return Finding("compiled programs", "note", f"They cannot be kept in {settings.cache_dir!r}: {why}.")


def _program(about: str, names: tuple[str, ...], package: str) -> Finding:
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found:
        return Finding(about, "right", f"{found}, for the tests.")
    return Finding(about, "note", f"None; only the tests need it (Debian: apt-get install {package}).")


def report(say: Callable[[str], None]) -> bool:
    """Say what is found, line by line; return whether nothing is wrong."""
    marks = {"right": "✓", "note": "·", "wrong": "✗"}
    well = True
    for finding in examine():
        say(f"{marks[finding.verdict]} {finding.about}: {finding.words}")
        well = well and finding.verdict != "wrong"
    return well
