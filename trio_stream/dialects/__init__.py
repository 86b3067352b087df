"""The grammars of providers: frames to items to one message, sans-IO."""

from ._contract import Assembler, Decoder, Dialect

__all__ = ["Assembler", "Decoder", "Dialect"]
