"""Which file imports which, read from the source: circles, rooms and the arrows between them."""

from __future__ import annotations

from functools import cache
from graphlib import CycleError, TopologicalSorter

import grimp


@cache
def imports() -> dict[str, frozenset[str]]:
    """What each file of the product, the tests and the benchmarks imports of these, anywhere in it.

    Imports inside functions and for type checkers count: a reader has to follow them all the same.
    """
    graph = grimp.build_graph("postertui", "tests", "benchmarks", cache_dir=None)
    return {
        module: frozenset(graph.find_modules_directly_imported_by(module))
        for module in sorted(graph.modules)
    }


def find_circle(graph: dict[str, frozenset[str]]) -> list[str]:
    """The files of one circle, the first one again at its end; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def room_of(module: str) -> str:
    """`runs` for `postertui.runs.store.reader`; the empty string for the package's own file."""
    return ".".join(module.split(".")[1:2])


def arrows_between_rooms() -> dict[tuple[str, str], int]:
    """How many imports go from one room of the product to another."""
    arrows: dict[tuple[str, str], int] = {}
    for module, imported in imports().items():
        for other in imported:
            if module.startswith("postertui.") and other.startswith("postertui."):
                arrow = room_of(module), room_of(other)
                if arrow[0] != arrow[1]:
                    arrows[arrow] = arrows.get(arrow, 0) + 1
    return arrows
