"""Docstrings that other rooms read are there and say what the signature says.

The form of sections (names, underlines, order) is held by ruff's rules D and DOC, in `make lint`.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "postertui"
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
#: Exceptions of libraries that docstrings name.
FOREIGN_ERRORS: set[str] = set()


@functools.cache
def trees() -> dict[str, ast.Module]:
    """The source of every module, by its dotted name."""
    modules = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = ast.parse(path.read_text(encoding="utf-8"))
    return modules


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def definitions(tree: ast.Module) -> dict[str, Definition]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name: node for node in tree.body if isinstance(node, kinds)}


def imported_elsewhere(modules: dict[str, ast.Module]) -> set[tuple[str, str]]:
    """Module and name of what a module of another room imports."""
    return {
        origin
        for importer, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in modules
        for alias in node.names
        if room_of((origin := _origin(modules, node.module, alias.name))[0]) != room_of(importer)
    }


def _origin(modules: dict[str, ast.Module], module: str, name: str) -> tuple[str, str]:
    """Where a name that a package hands on is defined."""
    for node in modules[module].body:
        if isinstance(node, ast.ImportFrom) and node.module in modules:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _origin(modules, node.module, alias.name)
    return module, name


def section(docstring: str, title: str) -> list[str] | None:
    """The unindented lines of a section: names of parameters or errors; None without one."""
    match = re.search(
        rf"^{title}\n-+\n(.*?)(?=^\S[^\n]*\n-+$|\Z)", docstring, re.MULTILINE | re.DOTALL
    )
    return None if match is None else re.findall(r"^\S.*", match[1], re.MULTILINE)


def documented_parameters(docstring: str) -> list[list[str]]:
    """The names of each entry, for one entry may describe several parameters."""
    lines = section(docstring, "Parameters") or []
    return [[name.strip() for name in line.split(" : ")[0].split(",")] for line in lines]


def parameters(definition: Definition) -> list[str]:
    """Names as numpydoc writes them, without `self`; a class's are its fields or `__init__`'s."""
    if isinstance(definition, ast.ClassDef):
        for node in definition.body:
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                return parameters(node)
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


def all_definitions(modules: dict[str, ast.Module]) -> Iterator[tuple[str, Definition, str]]:
    """Place, node and docstring of each function, class and method that has one."""
    for module, tree in modules.items():
        scopes: list[ast.Module | ast.ClassDef] = [tree]
        while scopes:
            for node in scopes.pop().body:
                if isinstance(node, ast.ClassDef):
                    scopes.append(node)
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and (
                    docstring := ast.get_docstring(node)
                ):
                    yield f"{module}:{node.lineno} {node.name}", node, docstring


def wrong_parameters(modules: dict[str, ast.Module]) -> list[str]:
    """Where a section names what is no parameter, or in another order than the signature.

    A parameter of which name and type say all may be left out.
    """
    wrong = []
    for place, node, docstring in all_definitions(modules):
        entries, own = documented_parameters(docstring), parameters(node)
        for names in (*entries, [entry[0] for entry in entries]):
            if names != [name for name in own if name in names]:
                wrong.append(f"{place}: documents {names}, has {own}")
    return wrong


def unknown_errors(modules: dict[str, ast.Module]) -> list[str]:
    errors = {name for name, kind in vars(builtins).items() if isinstance(kind, type)}
    errors |= {node.name for _, node, _ in all_definitions(modules)} | FOREIGN_ERRORS
    return [
        f"{place}: raises {name}"
        for place, _, docstring in all_definitions(modules)
        for line in section(docstring, "Raises") or []
        for name in line.split(",")
        if name.strip().rpartition(".")[2] not in errors
    ]


def test_what_another_room_imports_has_a_docstring() -> None:
    modules = trees()
    missing = [
        f"{module}.{name}"
        for module, name in sorted(imported_elsewhere(modules))
        if (node := definitions(modules[module]).get(name)) is not None
        and ast.get_docstring(node) is None
    ]
    assert missing == []


def test_documented_parameters_are_in_the_signature_and_in_its_order() -> None:
    assert wrong_parameters(trees()) == []


def test_documented_errors_exist() -> None:
    assert unknown_errors(trees()) == []


@pytest.mark.parametrize(
    "names", ["b, a\n    Two.", "b\n    Two.\na\n    One.", "a, b, c\n    All."]
)
def test_swapped_and_invented_parameters_are_seen(names: str) -> None:
    docstring = f"Add.\n\nParameters\n----------\n{names}\n\nReturns\n-------\nint\n    The sum."
    source = ast.parse("def add(a, b): pass")
    source.body[0].body[0] = ast.Expr(ast.Constant(docstring))  # type: ignore[attr-defined]
    assert len(wrong_parameters({"made_up": source})) >= 1


def test_invented_errors_are_seen() -> None:
    source = ast.parse('def f():\n    """Go.\n\n    Raises\n    ------\n    NoSuchError\n    """')
    assert unknown_errors({"made_up": source}) == ["made_up:1 f: raises NoSuchError"]
