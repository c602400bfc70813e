"""Functions of the user's own in a study: `network = "mine.py:build"`.

A variant has them as `mine.build`, and the SHA-256 of each file in `code`. Files are read and
parsed here, never executed.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

from postertui.system.regular_files import check_is_file
from postertui.system.text import to_single_line

#: The fields that may name a function, with the parameters that it gets.
PARAMETERS = {
    "network": ("x", "variant"),
    "loss": ("y", "p", "present", "variant"),
    "regularizer": ("values", "variant"),
    "kernel_regularizer": ("values", "variant"),
}

#: A larger file is refused, in bytes.
MAX_CODE_BYTES = 1 << 18

_STEM = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,39}"
_FUNCTION = r"[A-Za-z_][A-Za-z0-9_]{0,39}"
#: A function in a variant: `mine.build`.
CUSTOM = rf"{_STEM}\.{_FUNCTION}"

_REFERENCE = re.compile(rf"(.+\.py):({_FUNCTION})", re.ASCII)


class CodeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of functions, by its name without `.py` and its content's digest."""

    name: Annotated[str, msgspec.Meta(pattern=rf"^{_STEM}\Z")]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class CodeSource(NamedTuple):
    """A file as it was read.

    `owners` are who could decide what it holds, and that it is named: the owners of the file and of
    the study. `mode` is the file's.
    """

    path: Path
    data: bytes
    owners: tuple[int, ...]
    mode: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def code_file(self) -> CodeFile:
        return CodeFile(self.path.stem, self.sha256)


def is_custom(value: Any) -> bool:
    """Whether a field's value names a function of the user's: `mine.build`."""
    return isinstance(value, str) and re.fullmatch(CUSTOM, value, re.ASCII) is not None


def is_reference(value: Any) -> bool:
    """Whether a study's text names a file, as `mine.py:build` does, well or badly written."""
    return isinstance(value, str) and (":" in value or ".py" in value or "/" in value)


def readable(value: str) -> str:
    """`heads/mine.py:build` as `mine.build`; any other text as it is."""
    match = _REFERENCE.fullmatch(value)
    return f"{Path(match[1]).stem}.{match[2]}" if match else value


def read_code_source(path: Path) -> CodeSource:
    """Read a file of functions, which may be a link. Raises `OSError`, `ValueError`."""
    check_is_file(path)
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        data = file.read(MAX_CODE_BYTES + 1)
    if len(data) > MAX_CODE_BYTES:
        raise ValueError(f"{path}: is larger than {MAX_CODE_BYTES:,} bytes")
    return CodeSource(path, data, (status.st_uid,), status.st_mode)


def resolve(field: str, text: str, folder: Path) -> tuple[str, CodeSource]:
    """A function of the user's as a variant has it, and the file that it is in.

    Parameters
    ----------
    field
        The hyper-parameter that it is a value of, which decides its arguments.
    text
        `FILE.py:FUNCTION`.
    folder
        What the file's path is relative to.

    Raises
    ------
    ValueError
        Where there is no such file or function, or it takes other arguments.
    """
    if "://" in text:
        raise ValueError(f'"{text}" is an address; name a file, as in "mine.py:{field}"')
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not FILE.py:FUNCTION')
    path = Path(os.path.normpath(folder / match[1]))
    if not re.fullmatch(_STEM, path.stem, re.ASCII):
        raise ValueError(f"{path.name}: name the file with up to 40 letters, digits, _ and -")
    try:
        source = read_code_source(path)
    except FileNotFoundError:
        siblings = [p.name for p in path.parent.glob("*.py")]
        close = difflib.get_close_matches(path.name, siblings, n=3, cutoff=0.5)
        hint = f"; close: {', '.join(close)}" if close else ""
        raise ValueError(f"{path}: no such file{hint}") from None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    check_function(source, match[2], PARAMETERS[field])
    return f"{path.stem}.{match[2]}", source


def check_function(source: CodeSource, function: str, parameters: tuple[str, ...]) -> None:
    """Check that a file of the user's has a function.

    What the file imports, or makes in ways that its syntax does not show, is not checked.

    Parameters
    ----------
    parameters
        What the function is called with, by position.

    Raises
    ------
    ValueError
        Where the file is no Python, or has no such function.
    """
    try:
        tree = ast.parse(source.data, filename=source.path.name)
    except SyntaxError as error:
        raise ValueError(f"{source.path}:{error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{source.path}: not Python: {to_single_line(error, 200)}") from None
    names = dict(_top_level_names(tree.body))
    if function not in names and "*" not in names:
        functions = [name for name, node in names.items() if isinstance(node, ast.FunctionDef)]
        close = difflib.get_close_matches(function, functions, n=3, cutoff=0.5)
        some = close or functions[:5]
        hint = f"; {'close' if close else 'there are'}: {', '.join(some)}" if some else ""
        raise ValueError(f"{source.path}: no function {function}{hint}")
    node = names.get(function)
    signature = f"{function}({', '.join(parameters)})"
    if isinstance(node, ast.AsyncFunctionDef | ast.ClassDef):
        raise ValueError(
            f"{source.path}:{node.lineno}: {function} is not a plain function {signature}"
        )
    if isinstance(node, ast.FunctionDef) and not _accepts(node.args, len(parameters)):
        raise ValueError(f"{source.path}:{node.lineno}: {function} is not called as {signature}")


def _top_level_names(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    yield alias.asname or alias.name, node
            case ast.Assign():
                for target in node.targets:
                    yield from ((n.id, node) for n in ast.walk(target) if isinstance(n, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name, node
            case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
                for part in ("body", "orelse", "finalbody"):
                    yield from _top_level_names(getattr(node, part, ()))
                for handler in getattr(node, "handlers", ()):
                    yield from _top_level_names(handler.body)


def _accepts(arguments: ast.arguments, count: int) -> bool:
    """Whether a function can be called with `count` positional arguments and no others."""
    most = len(arguments.posonlyargs) + len(arguments.args)
    least = most - len(arguments.defaults)
    needs_keyword = any(default is None for default in arguments.kw_defaults)
    return not needs_keyword and least <= count and (count <= most or arguments.vararg is not None)


def code_of(
    values: Mapping[str, str], given: Mapping[str, CodeFile], inherited: Iterable[CodeFile]
) -> tuple[CodeFile, ...]:
    """The files behind a variant's fields.

    Parameters
    ----------
    values
        The fields of `PARAMETERS`.
    given
        The files of the fields that name one themselves.
    inherited
        Those of the variant that the others come from.

    Raises
    ------
    ValueError
        As `field: what is wrong`, where a file is not known or two have one name.
    """
    inherited_files = {file.name: file for file in inherited}
    files: dict[str, CodeFile] = {}
    for field, value in values.items():
        if not is_custom(value):
            continue
        name, _, function = value.partition(".")
        file = given.get(field) or inherited_files.get(name)
        if file is None:
            raise ValueError(
                f'{field}: in a study\'s file, name the function as "{name}.py:{function}"'
            )
        if files.setdefault(name, file) != file:
            raise ValueError(f"{field}: two different files called {name}.py; rename one")
    return tuple(files[name] for name in sorted(files))
