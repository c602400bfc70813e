"""An item is made while the one before it is used, in order, and errors keep their place."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from postertui.system.read_ahead import read_ahead


def test_the_next_item_is_made_while_one_is_used() -> None:
    made = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    received = []
    for number in read_ahead(items()):
        if number + 1 < len(made):
            assert made[number + 1].wait(30)
        received.append(number)
    assert received == [0, 1, 2]


def test_an_error_comes_where_its_item_would_have_come() -> None:
    def items() -> Iterator[str]:
        yield "first"
        raise OSError("no space left")

    ahead = read_ahead(items())
    assert next(ahead) == "first"
    with pytest.raises(OSError, match="no space left"):
        next(ahead)


def test_no_thread_is_left_when_the_caller_stops_early() -> None:
    ahead = read_ahead(iter(range(1000)))
    assert next(ahead) == 0
    ahead.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if "read-ahead" in thread.name]
