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
            variant.network,
            variant.frozen_layers,
            variant.fc1,
            variant.fc2,
            variant.loss,
            shape,
            variant.optimizer,
            variant.momentum,
            variant.dropout,
            variant.kernel_regularizer,
            variant.backbone_rate,
            variant.trainable_layers,
            variant.train_from,
            variant.share,
            len(spec.members),
            spec.weights.digest,
            inputs.dataset.side,
            # A function of the user's may look at any setting.
            variant if variant.code else None,
            inputs.joined,
            variant.details_units,
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


def check_regularizers(variant: Variant, network: Network) -> None:
    """Raise `UserError` where there is no kernel that the kernel regularizer would count."""
    if variant.kernel_regularizer != "none" and not network.regularized:
        raise UserError(
            f"{variant.name}: {variant.network} has no hidden layer's kernel for kernel_regularizer"
        )
