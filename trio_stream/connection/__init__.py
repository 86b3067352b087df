"""One HTTP response as a source of bytes. The only room that knows httpx."""

from ._connection import Connection, connect, refuse
from ._errors import lacked_a_slot
from ._family import AsyncClient, own_client
from ._refusal import place_of
from ._request import RequestSpec
from ._response import StreamResponse

__all__ = [
    "AsyncClient",
    "Connection",
    "RequestSpec",
    "StreamResponse",
    "connect",
    "lacked_a_slot",
    "own_client",
    "place_of",
    "refuse",
]
