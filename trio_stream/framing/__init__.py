"""Wire formats, sans-IO: bytes in, frames out."""

from ._contract import Framing, Parser
from ._frames import Comment, Record, ServerSentEvent

__all__ = ["Comment", "Framing", "Parser", "Record", "ServerSentEvent"]
