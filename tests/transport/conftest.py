"""Without httptools there is no transport to test."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("httptools") else ["test_*.py"]
