"""How large the machine is that this process may use: a container's limits, not its host's."""

import errno
import os
from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")


def cores(cgroup: Path = CGROUP) -> int:
    """Processor cores: those that the scheduler gives, at most the container's share, at least one."""
    affinity = getattr(os, "sched_getaffinity", None)
    n = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    if not period:
        quota, period = _read(cgroup / "cpu/cpu.cfs_quota_us"), _read(cgroup / "cpu/cpu.cfs_period_us")
    if quota.isdigit() and period.isdigit():
        n = min(n, -(-int(quota) // int(period)))
    return max(1, n)


def memory_mb(cgroup: Path = CGROUP) -> int:
    """Memory in MB: the machine's, at most the container's limit."""
    sizes = [psutil.virtual_memory().total]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limit = _read(cgroup / name)
        if limit.isdigit():
            sizes.append(int(limit))
    return min(sizes) // 1_000_000


def rss_mb(pid: int) -> int | None:
    """Memory that a process holds, in MB, or None when it is gone."""
    try:
        return psutil.Process(pid).memory_info().rss // 1_000_000
    except psutil.NoSuchProcess:
        return None


def disk_trouble(error: BaseException) -> str | None:
    """What to say when files cannot be written because the disk is full or read-only; None for other errors."""
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return None
    return f"The server cannot keep the files of this fit at the moment ({error.strerror}): try again later."


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # no such limit on this system
        return ""
