"""Networks and their compiled passes, shared by the runs of one shape."""

from __future__ import annotations

from typing import NamedTuple

from postertui.runs.code import Code
from postertui.runs.spec import RunSpec
from postertui.study import Variant
from postertui.system.errors import UserError
from postertui.training import custom, custom_loss, networks
from postertui.training.inputs import Inputs
from postertui.training.loop import Passes, compile_passes
from postertui.training.trainable_network import Network

#: The fields of a variant that a compiled network does not depend on: scalars that it is given,
#: rows that it is fed, what decides how long it trains, and classical models. All others tell
#: networks apart, so that a new field costs a compilation too many rather than a wrong network.
NOT_COMPILED = {
    "name", "family", "regularizer", "strength", "learning_rate", "schedule", "batch_size",
    "epochs", "early_stopping", "restore_best", "side", "augment", "balance", "weight_decay",
    "kernel_strength", "backbone", "code", "inputs", "details", "with_details", "model",
    "class_weight", "C", "trees", "depth", "shrinkage",
}  # fmt: skip


class CompiledNetwork(NamedTuple):
    """A network and its compiled passes, shared by runs of one shape."""

    network: Network
    passes: Passes


class CompiledNetworks:
    """The networks that a process has compiled."""

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype
        self._compiled: dict[tuple[object, ...], CompiledNetwork] = {}

    def get(self, spec: RunSpec, inputs: Inputs, code: Code) -> CompiledNetwork:
        """The network that `spec` trains on `inputs`; built only where its shape is new.

        `code` are the files of the user's own functions, which are executed. Raises `UserError`
        where it cannot be built.
        """
        variant = spec.variant
        shape = tuple(inputs.train.shape[1:])
        key = (
            # A function of the user's may look at any setting.
            variant if variant.code else compiled_settings(variant),
            shape,
            len(spec.members),
            spec.weights.digest,
            inputs.dataset.side,
            inputs.joined,
        )
        if key not in self._compiled:
            functions = custom.load_functions(variant, code)
            if functions is not None:
                custom_loss.check_loss(functions, variant.batch_size, self._dtype)
            network = networks.build(
                variant,
                inputs.first,
                shape,
                self._dtype,
                side=inputs.dataset.side,
                weights=spec.weights,
                functions=functions,
                joined=inputs.joined,
                heads=len(spec.members),
            )
            check_regularizers(variant, network)
            passes = compile_passes(network, variant)
            self._compiled[key] = CompiledNetwork(network, passes)
        return self._compiled[key]


def compiled_settings(variant: Variant) -> tuple[object, ...]:
    """What of `variant` its compiled network depends on, where no function is the user's."""
    names = (name for name in Variant.__struct_fields__ if name not in NOT_COMPILED)
    return tuple(getattr(variant, name) for name in names)


def check_regularizers(variant: Variant, network: Network) -> None:
    """Raise `UserError` where there is no kernel that the kernel regularizer would count."""
    if variant.kernel_regularizer != "none" and not network.regularized:
        raise UserError(
            f"{variant.name}: {variant.network} has no hidden layer's kernel for kernel_regularizer"
        )
