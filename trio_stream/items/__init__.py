"""Frames into typed items, sans-IO: what the ``item`` of `open_stream` means."""

from ._collector import Collector
from ._decoder import ItemDecoder, OnBadItem, item_decoder
from ._misfit import MisfitError

__all__ = ["Collector", "ItemDecoder", "MisfitError", "OnBadItem", "item_decoder"]
