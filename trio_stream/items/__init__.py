"""Frames into typed items, sans-IO: what the ``item`` of `open_stream` means."""

from ._collector import Collector
from ._decoder import ItemDecoder, OnBadItem, item_decoder

__all__ = ["Collector", "ItemDecoder", "OnBadItem", "item_decoder"]
