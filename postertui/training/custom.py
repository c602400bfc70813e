"""The user's own functions in training: executed, checked, called; their errors in one line.

    def build(x, variant):                  p (n, 1), or (p, activity…) for the regularizer
    def loss(y, p, present, variant):       a loss per row, or of the batch; y, p, present (B, 1)
    def regularizer(values, variant):       what λ is multiplied with; an activity or a kernel

Everything that they raise becomes a `UserError` with the line of the user's file.
"""

from __future__ import annotations

import contextlib
import hashlib
import linecache
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from postertui.runs.code import Code
from postertui.study import Variant
from postertui.study.custom import PARAMETERS, is_custom
from postertui.system.errors import UserError
from postertui.system.text import to_single_line
from postertui.training.backend import Tensor


class Function:
    """A function of the user's; its errors name the file and the line."""

    def __init__(self, function: Callable[..., Any], file: str) -> None:
        self._function = function
        self._file = file
        code = getattr(function, "__code__", None)
        is_own = code is not None and code.co_filename == file
        self.name = getattr(function, "__name__", type(function).__name__)
        self.place = f"{file}:{code.co_firstlineno}" if is_own and code is not None else file

    def __call__(self, *arguments: Any) -> Any:
        with explained(self._file, self.place, self.name):
            return self._function(*arguments)

    @contextlib.contextmanager
    def responsible(self) -> Iterator[None]:
        """Errors in this block are due to what the function has returned."""
        with explained(self._file, self.place, self.name):
            yield

    def error(self, problem: str) -> UserError:
        """A `UserError` at the function's first line."""
        return UserError(f"{self.place}: {self.name} {problem}")


class CustomFunctions(NamedTuple):
    """The functions of a variant; None for a field that has one of ours."""

    variant: Variant
    network: Function | None
    loss: Function | None
    regularizer: Function | None
    kernel_regularizer: Function | None


def load_functions(variant: Variant, code: Code) -> CustomFunctions | None:
    """Execute the files of `variant`; None where it has none.

    Raises `UserError` for what they raise, and for a function that is not there.
    """
    if not variant.code:
        return None
    modules = {file.name: _execute(file.name, code[file.name]) for file in variant.code}
    functions: dict[str, Function | None] = {}
    for field in PARAMETERS:
        value = getattr(variant, field)
        if not is_custom(value):
            functions[field] = None
            continue
        name, _, attribute = value.partition(".")
        function = getattr(modules.get(name), attribute, None)
        if not callable(function):
            raise UserError(f"{name}.py: has no function {attribute}, which {field} names")
        functions[field] = Function(function, f"{name}.py")
    return CustomFunctions(variant, **functions)


def _execute(name: str, data: bytes) -> types.ModuleType:
    file = f"{name}.py"
    module = types.ModuleType(f"_postertui_{hashlib.sha256(data).hexdigest()[:16]}_{name}")
    module.__file__ = file
    with explained(file, file, "the file"):
        program = compile(data, file, "exec", dont_inherit=True)
        # Dataclasses and Keras look for a class's module here.
        sys.modules[module.__name__] = module
        lines = data.decode(errors="replace").splitlines(keepends=True)
        linecache.cache[file] = (len(data), None, lines, file)
        exec(program, module.__dict__)
    return module


@contextlib.contextmanager
def explained(file: str, place: str, what: str) -> Iterator[None]:
    """Turn an exception into a `UserError` with its line of `file`, or `place` without one.

    What is printed meanwhile goes to standard error: standard output may be a channel.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (UserError, KeyboardInterrupt, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        if "RESOURCE_EXHAUSTED" in str(error):
            raise
        traceback.print_exc()
        raise UserError(f"{_line_of(error, file, place)}: {what}: {_describe(error)}") from None


def _line_of(error: BaseException, file: str, place: str) -> str:
    if isinstance(error, SyntaxError) and error.filename == file:
        return f"{file}:{error.lineno}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    return f"{file}:{lines[-1]}" if lines else place


def _describe(error: BaseException) -> str:
    text = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())
    return to_single_line(f"{type(error).__name__}: {text}" if text else type(error).__name__, 300)


def describe_shape(tensor: Tensor) -> str:
    """A tensor's shape for messages, with n for the number of posters."""
    sizes = ["n" if size is None else str(size) for size in tensor.shape]
    return f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"
