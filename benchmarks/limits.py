"""What depends on the system: open files, the peak of memory, tasks that hang."""

from __future__ import annotations

import importlib
import signal
import sys
from pathlib import Path
from typing import Any

__all__ = ["allow_many_files", "most_streams", "peak", "reset_peak", "set_alarm"]


def _resource() -> Any:
    try:
        return importlib.import_module("resource")
    except ImportError:  # Windows
        return None


def allow_many_files() -> None:
    """Raise the limit of open files as far as we may."""
    resource = _resource()
    if resource is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_streams() -> int:
    """How many streams a process may have open at the same time."""
    resource = _resource()
    if resource is None:
        return 400
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if hard == resource.RLIM_INFINITY else int(hard) - 200


def reset_peak() -> None:
    """Let the system begin anew with the peak; where it cannot, it is that of the process."""
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    except OSError:
        pass


def peak() -> int:
    """The most memory that the process had, in bytes; 0: it cannot be told."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        resource = _resource()
        if resource is None:
            return 0
        most: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most * (1 if sys.platform == "darwin" else 1024)


def set_alarm(seconds: int) -> None:
    """End this process after so many seconds; 0: do not."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)
