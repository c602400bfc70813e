"""Docstrings name what there is: sections of numpydoc in its order, parameters, attributes, errors.

They name as well what a parameter's type leaves open in a function that other files call. That
every public function and class has one, and how sections are underlined and spaced, is held by
ruff's rules D, in `make lint`.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from postertui.system.gc_pause import gc_paused

ROOT = Path(__file__).resolve().parents[1]
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

#: In the order of numpydoc's guide.
SECTIONS = (
    "Parameters", "Attributes", "Methods", "Returns", "Yields", "Receives", "Other Parameters",
    "Raises", "Warns", "Warnings", "See Also", "Notes", "References", "Examples",
)  # fmt: skip

#: Types of which the name of a parameter rarely says all: arrays, numbers, None, unions, functions.
OPEN_TYPE = re.compile(
    r"\b(NDArray|ArrayLike|Arrays?|Tensor|Matrix|Vector|Labels|Rows|Floats|\w+Array|float|Callable)\b|\|"
)


class Documented(NamedTuple):
    """A function, method or class that has a docstring, and what that may name."""

    place: str
    name: str
    docstring: str
    parameters: list[str]
    attributes: set[str]
    types: dict[str, str]

    def section(self, title: str) -> list[list[str]]:
        """The names of each entry of a section, for one entry may describe several."""
        match = re.search(
            rf"^{title}\n-+\n(.*?)(?=^\S[^\n]*\n-+$|\Z)", self.docstring, re.MULTILINE | re.DOTALL
        )
        lines = re.findall(r"^\S.*", match[1], re.MULTILINE) if match else []
        return [[name.strip() for name in line.split(" : ")[0].split(",")] for line in lines]


@functools.cache
def product() -> list[Documented]:
    with gc_paused():  # the collector takes longer than all else
        return [
            entry
            for path in sorted((ROOT / "postertui").rglob("*.py"))
            for entry in documented(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
        ]


def documented(source: str, place: str = "made_up.py") -> Iterator[Documented]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Definition) and (docstring := ast.get_docstring(node)):
            yield Documented(
                f"{place}:{node.lineno} {node.name}",
                node.name,
                docstring,
                parameters_of(node),
                attributes_of(node) if isinstance(node, ast.ClassDef) else set(),
                {} if isinstance(node, ast.ClassDef) else types_of(node),
            )


def parameters_of(definition: Definition) -> list[str]:
    """Names as numpydoc writes them, without `self`; a class's are its fields or `__init__`'s."""
    if isinstance(definition, ast.ClassDef):
        for node in definition.body:
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                return parameters_of(node)
        return [
            node.target.id
            for node in definition.body
            if isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and not node.target.id.startswith("_")
            and not ast.unparse(node.annotation).startswith("ClassVar")
        ]
    own = definition.args
    names = [argument.arg for argument in (*own.posonlyargs, *own.args)]
    names += [f"*{own.vararg.arg}"] if own.vararg else []
    names += [argument.arg for argument in own.kwonlyargs]
    names += [f"**{own.kwarg.arg}"] if own.kwarg else []
    return names[1:] if names and names[0] in ("self", "cls") else names


def types_of(definition: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, str]:
    own = definition.args
    arguments = (*own.posonlyargs, *own.args, *own.kwonlyargs)
    return {a.arg: ast.unparse(a.annotation) for a in arguments if a.annotation is not None}


def attributes_of(definition: ast.ClassDef) -> set[str]:
    """Fields, methods and properties, and what methods assign."""
    names = set(parameters_of(definition))
    for node in ast.walk(definition):
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return names


def wrong_sections(entries: list[Documented]) -> list[str]:
    wrong = []
    for entry in entries:
        titles = re.findall(r"^(\S.*)\n[-=]{3,}$", entry.docstring, re.MULTILINE)
        if titles != [title for title in SECTIONS if title in titles]:
            wrong.append(f"{entry.place}: {', '.join(titles)}")
    return wrong


def wrong_parameters(entries: list[Documented]) -> list[str]:
    """Where a section names what is no parameter, or in another order than the signature.

    A parameter of which name and type say all may be left out.
    """
    wrong = []
    for entry in entries:
        groups = entry.section("Parameters")
        for names in (*groups, [group[0] for group in groups]):
            if names != [name for name in entry.parameters if name in names]:
                wrong.append(f"{entry.place}: {', '.join(names)}")
    return wrong


def wrong_attributes(entries: list[Documented]) -> list[str]:
    return [
        f"{entry.place}: {name}"
        for entry in entries
        for group in entry.section("Attributes")
        for name in group
        if name not in entry.attributes
    ]


def wrong_errors(entries: list[Documented]) -> list[str]:
    """Errors that are neither Python's nor defined anywhere in `entries`."""
    errors = {name for name, kind in vars(builtins).items() if isinstance(kind, type)}
    errors |= {entry.name for entry in entries}
    return [
        f"{entry.place}: {name}"
        for entry in entries
        for group in entry.section("Raises")
        for name in group
        if name.rpartition(".")[2] not in errors
    ]


@functools.cache
def imported_names() -> frozenset[str]:
    """What files import from others, and use of modules that they import."""
    names = set[str]()
    with gc_paused():
        for path in sorted((ROOT / "postertui").rglob("*.py")):
            nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
            imports = [
                alias
                for node in nodes
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("postertui")
                for alias in node.names
            ]
            names |= {alias.name for alias in imports}
            modules = {alias.asname or alias.name for alias in imports}
            names |= {
                node.attr
                for node in nodes
                if isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in modules
            }
    return frozenset(names)


def unsaid_parameters(entries: list[Documented], called: frozenset[str]) -> list[str]:
    """Parameters of which the type leaves something open, in functions of three or more.

    An array has a shape, a number a unit or a range, and None, a union or a function a meaning.
    They are named in a section, or in the text between backquotes. Commands explain themselves in
    `--help`.
    """
    return [
        f"{entry.place}: {name}: {kind}"
        for entry in entries
        if entry.name in called and len(entry.types) >= 3 and not entry.name.endswith("_command")
        for name, kind in entry.types.items()
        if OPEN_TYPE.search(kind) and f"`{name}`" not in entry.docstring
        if not any(name in group for group in entry.section("Parameters"))
    ]


def test_what_types_leave_open_is_said() -> None:
    assert unsaid_parameters(product(), imported_names()) == []


def test_what_is_left_open_is_seen() -> None:
    source = """
        def f(a: float, b: Tensor, c: int | None, d: str):
            \"\"\"Of `c`.

            Parameters
            ----------
            b : (n,)
                Of a poster.
            \"\"\"
    """
    entries = list(documented(textwrap.dedent(source)))
    assert unsaid_parameters(entries, frozenset("f")) == ["made_up.py:2 f: a: float"]
    assert unsaid_parameters(entries, frozenset("g")) == []


CHECKS = [wrong_sections, wrong_parameters, wrong_attributes, wrong_errors]


@pytest.mark.parametrize("check", CHECKS)
def test_docstrings_name_what_there_is(check: Callable[[list[Documented]], list[str]]) -> None:
    assert check(product()) == []


@pytest.mark.parametrize(
    ("check", "section"),
    [
        (wrong_sections, "Raises\n------\nOSError\n\nParameters\n----------\na"),
        (wrong_sections, "Arguments\n---------\na"),
        (wrong_parameters, "Parameters\n----------\nb, a\n    Two."),
        (wrong_parameters, "Parameters\n----------\nb\n    Two.\na\n    One."),
        (wrong_parameters, "Parameters\n----------\na, b, c\n    All."),
        (wrong_attributes, "Attributes\n----------\na, c\n    Two."),
        (wrong_errors, "Raises\n------\nOSError\n    Once.\nNoSuchError\n    Never."),
    ],
)
def test_what_is_swapped_or_invented_is_seen(
    check: Callable[[list[Documented]], list[str]], section: str
) -> None:
    fields = "a: int\nb: int"
    source = "\n    ".join(['class A:\n    """One.\n', *f'{section}\n"""\n{fields}'.split("\n")])
    (entry,) = documented(source)
    assert [other for other in CHECKS if other([entry])] == [check]
