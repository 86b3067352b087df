"""`trio-stream demo`: four streams of a language model, from a scripted server on this machine.

The client in `_client` is what an application would write; start there. `_streams` is what the
server plays, `_acts` the order of things, and `_view` how it looks.
"""

from ._acts import demo

__all__ = ["demo"]
