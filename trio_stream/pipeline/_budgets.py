"""Which streams share a retry budget, if they were not given one."""

from __future__ import annotations

import weakref
from urllib.parse import urlsplit

import trio

from ..connection import AsyncClient
from ..retry import RetryBudget

__all__ = ["budget_of", "host_of"]

_ByHost = weakref.WeakValueDictionary[str, RetryBudget]  # as long as a stream has it

_of_clients: weakref.WeakKeyDictionary[AsyncClient, RetryBudget] = weakref.WeakKeyDictionary()
_of_hosts: trio.lowlevel.RunVar[_ByHost] = trio.lowlevel.RunVar("retry budgets")


def budget_of(client: AsyncClient | None, url: object) -> RetryBudget:
    """The budget that streams share whose config has none.

    It is that of their client. Those that have a client of their own each share one for each host.
    """
    if client is not None:
        try:
            return _of_clients.get(client) or _of_clients.setdefault(client, RetryBudget())
        except TypeError:  # it is no client, as will be said when it is used
            return RetryBudget()
    try:
        budgets = _of_hosts.get()
    except LookupError:
        budgets = _ByHost()
        _of_hosts.set(budgets)
    return budgets.setdefault(host_of(url), RetryBudget())


def host_of(url: object) -> str:
    """The host of a URL with its port, as it is written there; ``""`` if it has none."""
    try:
        return urlsplit(str(url)).netloc.rpartition("@")[2].lower()
    except ValueError:  # whoever sends the request will say so
        return ""
