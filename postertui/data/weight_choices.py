"""Which pretrained weights each network gets, as `--weights` says it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from postertui.data.backbones import Backbone, resolve_backbone_weights
from postertui.data.weights import Weights, imagenet_path, keras_models_folder, resolve_weights
from postertui.system.errors import UserError

#: The digest of ImageNet weights that are not downloaded for a plan that is only looked at.
NOT_DOWNLOADED = "not here yet"

_OF_NETWORK = re.compile(r"([A-Za-z0-9]{1,40})=(.+)", re.DOTALL)


class WeightChoices:
    """The weights of networks, each read when it is first asked for.

    Parameters
    ----------
    default
        `imagenet`, `random`, or a file of VGG16's weights.
    by_network
        The same for networks of their own, by name.
    download
        Whether missing ImageNet weights are downloaded; without, their digest is `NOT_DOWNLOADED`.
    """

    def __init__(
        self,
        default: str = "imagenet",
        by_network: Mapping[str, str] | None = None,
        *,
        download: bool = True,
    ) -> None:
        self.default = default
        self.by_network = dict(by_network or {})
        self._download = download
        self._resolved: dict[str, Weights] = {}

    @classmethod
    def parse(cls, options: Iterable[str], *, download: bool = True) -> WeightChoices:
        """Choices such as `random`, `FILE` or `resnet50=FILE`.

        Raises `UserError` where two of them are of the same network.
        """
        by_network: dict[str, str] = {}
        for option in options:
            match = None if Path(option).is_file() else _OF_NETWORK.fullmatch(option)
            network, choice = (match[1].lower(), match[2]) if match else ("", option)
            if by_network.setdefault(network, choice) != choice:
                raise UserError(
                    f"--weights {option}: contradicts {by_network[network]}; give one of them "
                    "(NAME=FILE for a network of its own)"
                )
        return cls(by_network.pop("", "imagenet"), by_network, download=download)

    @classmethod
    def given(cls, weights: Weights) -> WeightChoices:
        """VGG16's weights as they are; other networks get those of the same kind."""
        choices = cls(weights.path or "file" if weights.kind == "file" else weights.kind)
        choices._resolved["vgg16"] = weights
        return choices

    def check_networks(self, networks: Iterable[str]) -> None:
        """Raise `UserError` for weights of a network that is none of `networks`."""
        available = list(dict.fromkeys(networks))
        for name, choice in self.by_network.items():
            if name not in available:
                close = difflib.get_close_matches(name, available, n=3, cutoff=0.5)
                names = ", ".join(close or available)
                raise UserError(
                    f"--weights {name}={choice}: no variant has the network {name}; "
                    f"{'close' if close else 'there are'}: {names}"
                )

    def of_vgg16(self) -> Weights:
        """VGG16's weights. Raises `UserError` where they are not to be had."""
        if "vgg16" not in self._resolved:
            choice = self.by_network.get("vgg16", self.default)
            self._resolved["vgg16"] = (
                Weights("imagenet", NOT_DOWNLOADED)
                if choice == "imagenet" and self._is_out_of_reach(imagenet_path())
                else resolve_weights(choice)
            )
        return self._resolved["vgg16"]

    def of_backbone(self, backbone: Backbone, variant: str) -> Weights:
        """Another network's weights, needed by `variant`. Raises `UserError` as `of_vgg16`."""
        name, key = backbone.name, f"{backbone.name} {backbone.weights_file}"
        if key not in self._resolved:
            choice = self.by_network.get(name, self.default)
            if name not in self.by_network and choice not in ("imagenet", "random"):
                raise UserError(
                    f"--weights {choice} is VGG16's; {variant} is of {backbone.title}: give its "
                    f"own too with --weights {name}=FILE (or {name}=imagenet, {name}=random)"
                )
            path = keras_models_folder() / backbone.weights_file
            self._resolved[key] = (
                Weights("imagenet", NOT_DOWNLOADED)
                if choice == "imagenet" and self._is_out_of_reach(path)
                else resolve_backbone_weights(backbone, choice)
            )
        return self._resolved[key]

    def _is_out_of_reach(self, path: Path) -> bool:
        return not self._download and not path.is_file()
