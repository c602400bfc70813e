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
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from postertui.runs.code import Code
from postertui.study import Variant
from postertui.study.custom import PARAMETERS, is_custom
from postertui.system.errors import UserError
from postertui.system.text import to_single_line
from postertui.training.backend import Tensor, to_device, to_host, value_and_grad
from postertui.training.initializers import Array

#: Rows of random numbers that a function is tried on before it trains.
TRIAL_ROWS = 32

#: What initial weights of the user's layers are drawn from, beside the run's entropy.
_INITIAL_WEIGHTS = 3


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

    @property
    def takes_part_in_loss(self) -> bool:
        """Whether any of them adds to the loss."""
        return any((self.loss, self.regularizer, self.kernel_regularizer))


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


# The network


def build_head(
    build: Function, x: Tensor, variant: Variant, dtype: str, seed: int
) -> tuple[Tensor, ...]:
    """What `build` makes of x: p (n, 1) and the activities to penalise.

    Weights that the user's layers draw follow from `seed`.
    """
    keras.utils.set_random_seed(seed)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        result = build(x, variant)
    finally:
        keras.config.set_dtype_policy(policy)
    outputs = tuple(result) if isinstance(result, tuple | list) else (result,)
    for output in outputs or (result,):
        if not isinstance(output, keras.KerasTensor):
            kind = "nothing" if output is None else f"a {type(output).__name__}"
            raise build.error(f"returns {kind}, not a tensor that Keras' layers made of x")
    if tuple(outputs[0].shape) != (None, 1):
        raise build.error(
            f"returns a tensor {_shape(outputs[0])}, not (n, 1): a probability per poster"
        )
    if variant.regularizer != "none" and len(outputs) == 1:
        raise build.error(
            f"returns no activity to penalise; return (p, activity), or say regularizer = "
            f'"none" instead of "{variant.regularizer}"'
        )
    return outputs if variant.regularizer != "none" else outputs[:1]


def check_head(build: Function, x: Tensor, outputs: Sequence[Tensor], shape: Sequence[int]) -> None:
    """Raise `UserError` for a head (from x to `outputs`) that the loop would not train as meant."""
    with build.responsible():
        model = keras.Model(x, list(outputs))
    if not model.trainable_variables:
        raise build.error("makes no weights that train")
    for layer in model._flatten_layers(include_self=False):  # Keras has no public way.
        if getattr(layer, "activity_regularizer", None) is not None:
            raise build.error(
                f"has an activity_regularizer in {layer.name}; return (p, activity) and say "
                "regularizer and strength in the study"
            )
    for variable in model.non_trainable_variables:
        if "seed_generator" not in variable.path:
            raise build.error(
                f"has the weight {variable.path}, which gradients do not change (an average that "
                "moves, or frozen); LayerNormalization or GroupNormalization have none"
            )
    regularized = [v for v in model.trainable_variables if v.regularizer is not None]
    if len(model.losses) > len(regularized):
        raise build.error("has a layer that adds a loss (add_loss), which is not heard of here")
    trial = np.random.default_rng(0).random((TRIAL_ROWS, *shape), dtype=np.float32)
    with build.responsible():
        p = to_host(keras.tree.flatten(model(to_device(trial), training=False))[0])
    if not (np.isfinite(p).all() and p.min() >= 0 and p.max() <= 1):
        worst = p[np.argmax(np.where(np.isfinite(p), np.abs(p - 0.5), np.inf))].item()
        raise build.error(f"returns {worst:.3g}, which is no probability; end with a sigmoid")


def _shape(tensor: Tensor) -> str:
    """A tensor's shape for messages, with n for the number of posters."""
    sizes = ["n" if size is None else str(size) for size in tensor.shape]
    return f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"


def draw_head(
    build: Function, shape: Sequence[int], variant: Variant, dtype: str, entropy: Sequence[int]
) -> list[Array]:
    """The initial weights of the user's layers on inputs of `shape`, by the run's entropy."""
    source = np.random.SeedSequence(entropy, spawn_key=(_INITIAL_WEIGHTS,))
    seed = int(source.generate_state(1)[0] >> 1)
    x = keras.Input(tuple(shape), dtype=dtype)
    outputs = build_head(build, x, variant, dtype, seed)
    with build.responsible():
        model = keras.Model(x, list(outputs))
    return [variable.numpy() for variable in model.trainable_variables]


def check_stock_layers(build: Function, head: keras.Model) -> None:
    """Raise `UserError` for layers that Keras alone cannot read from a file."""
    for layer in head._flatten_layers(include_self=False):
        is_stock = type(layer).__module__.startswith("keras.")
        if not is_stock or isinstance(layer, keras.layers.Lambda):
            kind = type(layer).__name__
            raise build.error(f"makes a {kind}, which a file that needs nothing else cannot hold")


def has_convolutions(model: keras.Model) -> bool:
    """Whether any layer is a convolution of Keras' own."""
    return any("Conv" in type(layer).__name__ for layer in model._flatten_layers())


# The loss


def penalty_of(regularizer: Function, values: Tensor, variant: Variant) -> Tensor:
    """The sum of what `regularizer` makes of `values`."""
    result = _floating(regularizer, regularizer(values, variant), values.dtype)
    return ops.sum(result)


def mean_loss(loss: Function, y: Tensor, p: Tensor, present: Tensor, variant: Variant) -> Tensor:
    """The batch's loss: the mean of a loss per row over the rows that are `present`."""
    result = _floating(loss, loss(y, p, present, variant), p.dtype)
    shape = tuple(result.shape)
    if shape == ():
        return result
    rows = y.shape[0]
    if shape not in ((rows,), (rows, 1)):
        raise loss.error(
            f"returns a tensor {_shape(result)}, neither a loss per row, ({rows},) or ({rows}, 1), "
            "nor one of the batch, ()"
        )
    # Where, not a product: padding may have made a NaN.
    weighted = ops.where(present > 0, ops.reshape(result, (rows, 1)), ops.zeros_like(present))
    return ops.sum(weighted) / ops.sum(present)


def _floating(function: Function, result: Any, dtype: str) -> Tensor:
    if result is None:
        raise function.error("returns nothing")
    with function.responsible():
        return ops.cast(ops.convert_to_tensor(result), dtype)


def add_custom_loss(
    custom: CustomFunctions,
    sums: Tensor,
    p: Tensor,
    activities: Sequence[Tensor],
    y: Tensor,
    present: Tensor,
    kernels: Sequence[Tensor],
    strengths: tuple[Tensor, Tensor],
    layer_penalties: Sequence[Tensor],
) -> Tensor:
    """A batch's `sums` (see `objective.SUMS`) with what the user's functions add.

    Their loss takes the place of the cross-entropy. `strengths` are λ of the activity and of the
    kernel regularizer; `layer_penalties` come from regularizers of the user's own layers.
    """
    variant, parts = custom.variant, list(ops.unstack(sums))
    parts[6] = sum(layer_penalties, parts[6])
    if custom.loss is not None:
        parts[5] = mean_loss(custom.loss, y, p, present, variant) * ops.sum(present)
    if custom.regularizer is not None:
        for activity in activities:
            mask = ops.reshape(present, (-1, *[1] * (len(activity.shape) - 1)))
            values = ops.where(mask > 0, activity, ops.zeros_like(activity))
            parts[6] += strengths[0] * penalty_of(custom.regularizer, values, variant)
    if custom.kernel_regularizer is not None:
        for kernel in kernels:
            penalty = penalty_of(custom.kernel_regularizer, kernel, variant)
            parts[6] += strengths[1] * penalty
    return ops.stack(parts)


def check_loss(custom: CustomFunctions, batch: int, dtype: str) -> None:
    """Raise `UserError` for a loss that cannot be used, tried on a batch of random numbers."""
    if custom.loss is None:
        return
    loss, rng = custom.loss, np.random.default_rng(0)
    p = to_device(rng.uniform(0.1, 0.9, (batch, 1)).astype(dtype))
    y = to_device((np.arange(batch)[:, None] % 2).astype(dtype))
    present = ops.ones_like(p)

    def objective(weights: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        value = mean_loss(loss, y, weights[0], present, custom.variant)
        return value, value

    _, (gradient,) = value_and_grad(objective, (p,))
    if gradient is None or not to_host(gradient).any():
        raise loss.error("has no gradient: it does not change with p, or in steps only")


def check_finite(
    custom: CustomFunctions, names: Sequence[str], sums: Array, epoch: int, mode: str
) -> None:
    """Raise `UserError` for the first batch of an epoch whose sums are no numbers.

    `sums` (S, len(names)). As published, an undefined F-score may end a model; nothing else may.
    """
    columns = {name: ~np.isfinite(sums[:, i]) for i, name in enumerate(names)}
    undefined = columns["soft_yes"] | columns["penalty"]
    if custom.loss is not None:
        undefined |= columns["cross_entropy"]
    elif mode == "published":
        return
    if not undefined.any():
        return
    batch = int(undefined.argmax())
    if columns["soft_yes"][batch]:
        culprits = [custom.loss, custom.regularizer, custom.kernel_regularizer, custom.network]
        if batch == 0 and epoch == 1:
            culprits.reverse()
        problem = "gave weights that are no numbers before"
    elif columns["penalty"][batch]:
        culprits = [custom.regularizer, custom.kernel_regularizer, custom.network, custom.loss]
        problem = "gave a penalty that is no number in"
    else:
        culprits, problem = [custom.loss], "was no number in"
    function = next(each for each in culprits if each is not None)
    raise function.error(f"{problem} batch {batch + 1} of epoch {epoch} (NaN or infinite)")
