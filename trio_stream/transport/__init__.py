"""HTTP/1.1 over trio's own sockets, as a transport for clients of httpx and httpx2.

It needs ``httptools``, which the extra ``trio-stream[fast]`` brings.
"""

from importlib.util import find_spec

if find_spec("httptools") is None:  # pragma: no cover - it is installed wherever tests run
    raise ImportError("trio_stream.transport needs httptools: pip install 'trio-stream[fast]'")

from ._pool import PoolStatistics
from ._transport import TrioTransport

__all__ = ["PoolStatistics", "TrioTransport"]
