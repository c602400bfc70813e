"""Making the next item while one is being used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The items, of which a thread makes the next one while the caller uses one.

    That pays where both mostly run outside the interpreter, in system calls or a table library.
    What `items` raises is raised where its item would have come.
    """
    iterator = iter(items)
    end = object()
    with ThreadPoolExecutor(1, "read-ahead") as reader:
        following = reader.submit(next, iterator, end)
        while (item := following.result()) is not end:
            following = reader.submit(next, iterator, end)
            yield item  # type: ignore[misc]
