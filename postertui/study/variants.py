"""`Variant`: the hyper-parameters of a training. `Study`: a base, its variants, genres, cohorts."""

from __future__ import annotations

import difflib
import fnmatch
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec

from postertui.study.custom import CUSTOM, CodeFile, Source, is_custom
from postertui.system.errors import UserError

RegularizerKind = Literal["none", "l1", "l2"]
Loss = Literal["fscore", "bce"]
#: One of these, or a function of the user's own such as `mine.focal`.
AnyRegularizer = Annotated[str, msgspec.Meta(pattern=rf"^(none|l1|l2|{CUSTOM})\Z")]
AnyLoss = Annotated[str, msgspec.Meta(pattern=rf"^(fscore|bce|{CUSTOM})\Z")]
Mode = Literal["sound", "published"]
Augment = Literal["none", "mirror", "mirror-both"]
Balance = Literal["none", "oversample", "undersample", "mirror-positives"]
Model = Literal["network", "logistic", "svc", "forest", "boosting"]
ClassWeight = Literal["balanced", "none"]
InputKind = Literal["poster", "details", "both"]
Optimizer = Literal["adam", "adamw", "sgd", "rmsprop"]
SharedLayers = Literal["none", "fc1", "fc1+fc2"]
#: Factors by the beginning of a layer's name.
LayerRates = tuple[tuple[str, float], ...]
#: What a run's random numbers are derived from. Runs from before the genre was part of it: `seed`.
RandomKey = Literal["seed", "seed-genre"]

#: Which runs keep their trained weights: `small` those of up to 16 MB.
KeepWeights = Literal["all", "small", "none"]

#: With whom a study's runs folder is shared.
Share = Literal["group"]

#: Below this share of positives a batch of 256 is often without any, and a model soon dead.
DEFAULT_RARITY = 0.03

#: VGG16 without its top counts its layers 0 to 18, so this many frozen ones is all of them.
ALL_LAYERS = 19


class Constant(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="constant"
):
    """The learning rate never changes."""


class Decay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="decay"):
    """`learning_rate` for the first `hold` epochs, then `learning_rate · factor^epoch`.

    Epochs count from 0 here, as Keras counts them for its `LearningRateScheduler`.
    """

    hold: int = 6
    factor: float = 0.5


class Plateau(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="plateau"
):
    """Keras' `ReduceLROnPlateau` on the monitored loss.

    As published (`min_rate` equal to the learning rate) it can never fire.
    """

    factor: float = 0.2
    patience: int = 1
    min_rate: float = 0.001
    min_delta: float = 1e-4


Schedule = Constant | Decay | Plateau


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One named set of hyper-parameters; the defaults are the 2017 base.

    Attributes
    ----------
    network
        A network of `keras.applications` in lower case, `scratch`, or a function of the user's.
    backbone
        The network whose features a function of the user's gets; `none` for images in 0..1.
    code
        The files of the user's functions.
    family
        The published table's column `variant`; several variants share one.
    frozen_layers
        Counts from VGG16's input: 19 freezes all, 17 trains layer 17 (block5_conv3), 16 trains 16
        and 17.
    fc1, fc2
        Widths of the dense layers. For the network `scratch`, `fc1` is the number of its
        convolution's filters and `fc2` the width of its dense layer.
    strength
        λ, applied to the *sum* over a batch of |h| or h² of the second dense layer's output.
    early_stopping
        Patience in epochs on the monitored loss; 0 never stops early.
    side
        Of the posters, in pixels; 0 is the first side that the data has.
    trainable_layers, train_from
        The backbone trains its last so many layers, or those from the named one on.
    backbone_rate
        Factor on the learning rate of pretrained layers that are trained, or one for each group of
        them, by a layer's name or how the names begin; the longest that fits counts, others have 1.
    augment
        Mirrored posters in training: `mirror` shows each poster once an epoch, mirrored or not by
        chance; `mirror-both` shows both.
    balance
        Equal numbers of positives and negatives in training, drawn again each epoch: `oversample`
        repeats the rarer, `undersample` leaves out some of the others. `mirror-positives` adds the
        mirror image of each positive.
    optimizer, momentum, weight_decay
        `momentum` is of `sgd`, `weight_decay` of `adamw`.
    dropout
        Share of each hidden dense layer's outputs that training drops.
    kernel_regularizer, kernel_strength
        λ · Σ|w| or λ · Σw² over the hidden dense layers' kernels, once per batch.
    restore_best
        Whether the run's weights at its end are those of the epoch with the lowest monitored loss.
    inputs, details, details_units
        What is learnt from, which columns of the details (all where none is named), and the width
        of the dense layer that details pass through before they meet the poster's features.
    with_details
        Whether posters without details are left out of all cohorts.
    model, class_weight, C, trees, depth, shrinkage
        A network, or a classical model of scikit-learn on the same inputs: whether classes weigh
        the same, the inverse strength of the regularization (`logistic`, `svc`), how many trees
        and how deep, 0 for any depth (`forest`, `boosting`), the learning rate of `boosting`.
    share
        Which dense layers all genres of a request have in common. They are trained at once, on the
        mean of their losses, each with the remaining layers for itself.

    The monitored loss is the validation cohort's; without one, and in mode `published`, the test
    cohort's.
    """

    name: str
    family: str = "base"
    network: str = "vgg16"
    frozen_layers: int = ALL_LAYERS
    fc1: int = 256
    fc2: int = 256
    regularizer: AnyRegularizer = "l1"
    strength: float = 1e-5
    loss: AnyLoss = "fscore"
    learning_rate: float = 1e-3
    schedule: Schedule = Constant()
    batch_size: int = 256
    epochs: int = 10
    early_stopping: int = 0
    restore_best: bool = False
    side: int = 0
    trainable_layers: int = 0
    train_from: str = ""
    backbone_rate: float | LayerRates = 1.0
    augment: Augment = "none"
    balance: Balance = "none"
    optimizer: Optimizer = "adam"
    momentum: float = 0.9
    weight_decay: float = 0.004
    dropout: float = 0.0
    kernel_regularizer: AnyRegularizer = "none"
    kernel_strength: float = 0.0
    backbone: str = "vgg16"
    code: tuple[CodeFile, ...] = ()
    inputs: InputKind = "poster"
    details: tuple[str, ...] = ()
    details_units: int = 256
    with_details: bool = False
    model: Model = "network"
    class_weight: ClassWeight = "balanced"
    C: float = 1.0
    trees: int = 300
    depth: int = 0
    shrinkage: float = 0.1
    share: SharedLayers = "none"

    @property
    def shares_layers(self) -> bool:
        """Whether genres are trained together."""
        return self.share != "none"

    @property
    def has_custom_network(self) -> bool:
        """Whether a function of the user's own makes the network."""
        return is_custom(self.network)

    @property
    def backbone_name(self) -> str:
        """The network before the head; `scratch` where the head gets the images."""
        if not self.has_custom_network:
            return self.network
        return "scratch" if self.backbone == "none" else self.backbone

    def rate_of_layer(self, layer: str) -> float:
        """The factor on the learning rate of a pretrained layer."""
        if isinstance(self.backbone_rate, float | int):
            return self.backbone_rate
        fitting = [(len(g), rate) for g, rate in self.backbone_rate if layer.startswith(g)]
        return max(fitting)[1] if fitting else 1.0

    @property
    def needs_details(self) -> bool:
        """Whether the data folder's details decide anything in training."""
        return self.inputs != "poster" or self.with_details

    @property
    def needs_mirrored(self) -> bool:
        """Whether training shows mirror images of posters."""
        return self.augment != "none" or self.balance == "mirror-positives"

    @property
    def selects_epochs(self) -> bool:
        """Whether early stopping or `restore_best` chooses an epoch by the monitored loss."""
        return self.early_stopping > 0 or self.restore_best

    @property
    def monitors_loss(self) -> bool:
        """Whether a held-out cohort's loss decides anything in training.

        As published, `reduce-lr` has a plateau that can never fire.
        """
        can_reduce = isinstance(self.schedule, Plateau) and (
            self.schedule.min_rate < self.learning_rate
        )
        return self.selects_epochs or can_reduce

    @property
    def identity(self) -> dict[str, Any]:
        """The fields that decide what is trained, for a digest.

        Fields of later versions are left out at their defaults, so that older runs keep theirs.
        """
        values = msgspec.to_builtins(self)
        return {
            field.name: values[field.name]
            for field in msgspec.structs.fields(self)
            if field.name in _ORIGINAL_FIELDS
            or (field.name not in ("name", "family") and getattr(self, field.name) != field.default)
        }

    @property
    def regularizer_label(self) -> str:
        """The value of the history table's column `Regularizer`: `L1=1e-5`, `NoReg`."""
        if self.regularizer == "none":
            return "NoReg"
        if is_custom(self.regularizer):
            return f"{self.regularizer}={format_strength(self.strength)}"
        return f"{self.regularizer.upper()}={format_strength(self.strength)}"


#: The fields that every run's digest contains.
_ORIGINAL_FIELDS = (
    *("network", "frozen_layers", "fc1", "fc2", "regularizer", "strength", "loss"),
    *("learning_rate", "schedule", "batch_size", "epochs", "early_stopping"),
)


@lru_cache(maxsize=1024)
def format_strength(value: float) -> str:
    """λ as the published table writes it: `1e-5`, `2.5e-4`, `0`."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def describe_entries(values: Iterable[Any]) -> str:
    """Names, or layers with their rates, for people: `year, country`, `block5 0.1`."""
    return ", ".join(v if isinstance(v, str) else f"{v[0]} {v[1]:g}" for v in values)


def overlapping_cohorts(*groups: Iterable[int]) -> list[int]:
    """The cohorts in more than one of the groups, which must be disjoint."""
    counts = Counter(cohort for group in groups for cohort in set(group))
    return sorted(cohort for cohort, count in counts.items() if count > 1)


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """A grid of runs: every variant of every genre with every seed.

    Attributes
    ----------
    variants
        By name, in the file's order, `base` first.
    genres
        None for all genres of the data.
    val_cohorts
        The validation cohorts; those that the data lacks are left out.
    seeds
        How many: 0, 1, 2 and so on.
    rotations
        How often each run is trained with the cohorts' roles moved on by one; 1 as given only.
    random_key
        What new runs derive their random numbers from. With `seed-genre`, genres are independent
        of each other; with `seed`, all genres of a seed share initial weights and shuffles.
    rarity
        Genres with a smaller base rate in the training cohorts are left out unless named.
    gpu
        Share of a GPU that a run takes on a cluster; None measures it.
    share
        With `group`, the group of the runs folder may read and write what is made in it.
    keep_weights
        Which runs keep their trained weights.
    source
        The file it was read from.
    code_files
        The files of the user's own functions, by their SHA-256.
    """

    name: str
    base: Variant
    variants: dict[str, Variant]
    genres: tuple[str, ...] | None = None
    train_cohorts: tuple[int, ...] = (0,)
    test_cohorts: tuple[int, ...] = (2,)
    val_cohorts: tuple[int, ...] = ()
    seeds: int = 1
    rotations: int = 1
    random_key: RandomKey = "seed-genre"
    mode: Mode = "sound"
    rarity: float = DEFAULT_RARITY
    gpu: float | None = None
    share: Share | None = None
    keep_weights: KeepWeights = "small"
    source: str = ""
    code_files: dict[str, Source] = {}

    def select(self, globs: Iterable[str]) -> list[Variant]:
        """The variants whose names match any of `globs`, in the study's order; all for none.

        Raises `UserError` for a name (exit code 2) or a glob (3) that matches nothing.
        """
        patterns = list(globs)
        if not patterns:
            return list(self.variants.values())
        chosen: set[str] = set()
        for pattern in patterns:
            matches = [n for n in self.variants if fnmatch.fnmatchcase(n.lower(), pattern.lower())]
            if not matches:
                raise self._no_match(pattern)
            chosen.update(matches)
        return [v for n, v in self.variants.items() if n in chosen]

    def _no_match(self, pattern: str) -> UserError:
        is_glob = any(c in pattern for c in "*?[")
        close = difflib.get_close_matches(pattern.lower(), list(self.variants), n=3, cutoff=0.5)
        hint = f"close: {', '.join(close)}" if close else f"there are: {', '.join(self.variants)}"
        return UserError(
            f"study {self.name}: no variant {'matches' if is_glob else 'is called'} "
            f'"{pattern}"; {hint}',
            exit_code=3 if is_glob else 2,
        )
