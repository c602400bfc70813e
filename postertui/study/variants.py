"""`Variant`: the hyper-parameters of one training, each declared once."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal, get_args

import msgspec

from postertui.study.custom import CUSTOM, CodeFile, is_custom
from postertui.study.field import Described, Field, declared_fields
from postertui.study.labels import format_strength
from postertui.study.layer_rates import LayerRates
from postertui.study.schedules import SCHEDULE_HELP, Constant, Plateau, Schedule

RegularizerKind = Literal["none", "l1", "l2"]
Loss = Literal["fscore", "bce"]
Augment = Literal["none", "mirror", "mirror-both"]
Balance = Literal["none", "oversample", "undersample", "mirror-positives"]
Model = Literal["network", "logistic", "svc", "forest", "boosting"]
ClassWeight = Literal["balanced", "none"]
InputKind = Literal["poster", "details", "both"]
Optimizer = Literal["adam", "adamw", "sgd", "rmsprop"]
SharedLayers = Literal["none", "fc1", "fc1+fc2"]

_REGULARIZERS, _LOSSES = get_args(RegularizerKind), get_args(Loss)
#: One of these, or a function of the user's own such as `mine.focal`.
AnyRegularizer = Annotated[str, msgspec.Meta(pattern=rf"^({'|'.join(_REGULARIZERS)}|{CUSTOM})\Z")]
AnyLoss = Annotated[str, msgspec.Meta(pattern=rf"^({'|'.join(_LOSSES)}|{CUSTOM})\Z")]

#: VGG16 without its top counts its layers 0 to 18, so this many frozen ones is all of them.
ALL_LAYERS = 19


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One named set of hyper-parameters; the defaults are the 2017 base.

    Each is declared here and nowhere else: its name, type, default, limits and meaning. TOML, the
    form, the run's screen, `--compare` and a run's identity follow (`variant_fields`). A comment
    above a field says what its line of help has no room for.

    The monitored loss is the validation cohort's; without one, and in mode `published`, the test
    cohort's. `code` has the files of the user's functions.
    """

    name: str
    #: Several variants share one.
    family: Annotated[
        str, Described("the column `variant` of the history table; its own name if left out")
    ] = "base"
    #: A function of the user's own is written `FILE.py:FUNCTION`.
    network: Annotated[
        str,
        Described("of keras.applications in lower case, scratch, or your own", is_original=True),
    ] = "vgg16"
    #: 16 trains the layers 16 and 17.
    frozen_layers: Annotated[
        int,
        Described(
            "VGG16's layers that do not train, from the input: 19 all, 17 trains block5_conv3",
            minimum=0,
            maximum=ALL_LAYERS,
            is_original=True,
        ),
    ] = ALL_LAYERS
    #: For the network `scratch`, the number of its convolution's filters.
    fc1: Annotated[
        int, Described("first dense layer's width", minimum=1, maximum=65536, is_original=True)
    ] = 256
    #: For the network `scratch`, the width of its dense layer.
    fc2: Annotated[
        int, Described("second dense layer's width", minimum=1, maximum=65536, is_original=True)
    ] = 256
    regularizer: Annotated[
        AnyRegularizer,
        Described(
            "of the second dense layer's activity",
            choices=_REGULARIZERS,
            is_custom=True,
            is_original=True,
        ),
    ] = "l1"
    #: Times the *sum* over a batch of |h| or h² of the second dense layer's output.
    strength: Annotated[
        float, Described("λ, applied to the sum over a batch", minimum=0, is_original=True)
    ] = 1e-5
    loss: Annotated[
        AnyLoss,
        Described(
            "one minus the soft F, or binary cross-entropy",
            choices=_LOSSES,
            is_custom=True,
            is_original=True,
        ),
    ] = "fscore"
    learning_rate: Annotated[
        float,
        Described("Adam's, at the start", minimum=0, exclusive_minimum=True, is_original=True),
    ] = 1e-3
    schedule: Annotated[
        Schedule, Described("how the learning rate changes", form=SCHEDULE_HELP, is_original=True)
    ] = Constant()
    batch_size: Annotated[
        int, Described("posters per update", minimum=1, maximum=65536, is_original=True)
    ] = 256
    epochs: Annotated[
        int,
        Described("passes over the training cohorts", minimum=1, maximum=100_000, is_original=True),
    ] = 10
    #: Progress of the monitored loss.
    early_stopping: Annotated[
        int,
        Described("epochs without progress before it stops; 0 never", minimum=0, is_original=True),
    ] = 0
    restore_best: Annotated[
        bool, Described("end with the weights of the epoch with the lowest monitored loss")
    ] = False
    side: Annotated[
        int,
        Described("of the posters in pixels; 0 is the data's first", minimum=0, maximum=512),
    ] = 0
    trainable_layers: Annotated[
        int, Described("the backbone's last layers that train", minimum=0)
    ] = 0
    train_from: Annotated[str, Described("the backbone's first layer that trains, by its name")] = (
        ""
    )
    #: Of groups, the longest name that fits a layer counts; layers that none fits have 1.
    backbone_rate: Annotated[
        float | LayerRates,
        Described(
            "factor on the learning rate of pretrained layers that train, or { block5 = 0.1 }",
            minimum=0,
            maximum=1,
            exclusive_minimum=True,
        ),
    ] = 1.0
    #: `mirror` shows each poster once an epoch, mirrored or not by chance; `mirror-both` both.
    augment: Annotated[Augment, Described("mirrored posters in training")] = "none"
    #: Drawn again each epoch: `oversample` repeats the rarer, `undersample` leaves out some of the
    #: others, `mirror-positives` adds the mirror image of each positive.
    balance: Annotated[
        Balance, Described("equal numbers of positives and negatives in training")
    ] = "none"
    optimizer: Annotated[Optimizer, Described("how weights are updated")] = "adam"
    momentum: Annotated[float, Described("of sgd", minimum=0, maximum=0.999)] = 0.9
    weight_decay: Annotated[float, Described("of adamw", minimum=0, maximum=1)] = 0.004
    dropout: Annotated[
        float, Described("share of each hidden dense layer dropped", minimum=0, maximum=0.95)
    ] = 0.0
    #: λ · Σ|w| or λ · Σw², once per batch.
    kernel_regularizer: Annotated[
        AnyRegularizer,
        Described("of the hidden dense layers' kernels", choices=_REGULARIZERS, is_custom=True),
    ] = "none"
    kernel_strength: Annotated[float, Described("λ of the kernel regularizer", minimum=0)] = 0.0
    #: `none` gives it the images in 0..1.
    backbone: Annotated[
        str, Described("whose features a network of your own gets; none for images")
    ] = "vgg16"
    code: tuple[CodeFile, ...] = ()
    inputs: Annotated[InputKind, Described("what is learnt from")] = "poster"
    details: Annotated[
        tuple[str, ...], Described("columns of the details, joined by commas; all if left out")
    ] = ()
    #: The details pass through it before they meet the poster's features.
    details_units: Annotated[
        int, Described("width of the details' own dense layer", minimum=1, maximum=65536)
    ] = 256
    #: Of all cohorts.
    with_details: Annotated[bool, Described("leave out posters without details")] = False
    #: A classical model gets the same inputs as a network.
    model: Annotated[Model, Described("a network, or of scikit-learn")] = "network"
    class_weight: Annotated[
        ClassWeight,
        Described("of a classical model: both classes weigh the same, or each poster"),
    ] = "balanced"
    C: Annotated[
        float,
        Described(
            "inverse strength of the regularization of logistic and svc",
            minimum=0,
            exclusive_minimum=True,
        ),
    ] = 1.0
    trees: Annotated[int, Described("of forest and boosting", minimum=1, maximum=100_000)] = 300
    depth: Annotated[int, Described("of each tree; 0 for any", minimum=0, maximum=1000)] = 0
    shrinkage: Annotated[
        float,
        Described("boosting's learning rate", minimum=0, maximum=1, exclusive_minimum=True),
    ] = 0.1
    #: They are trained at once, on the mean of their losses, each with its own remaining layers.
    share: Annotated[
        SharedLayers, Described("dense layers that all genres of a request have in common")
    ] = "none"

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
            name: values[name]
            for name in self.__struct_fields__
            if name in _original_fields()
            or (name not in ("name", "family") and getattr(self, name) != getattr(DEFAULTS, name))
        }

    @property
    def regularizer_label(self) -> str:
        """The value of the history table's column `Regularizer`: `L1=1e-5`, `NoReg`."""
        return _regularizer_label(self.regularizer, self.strength)


@lru_cache(maxsize=1024, typed=True)
def _regularizer_label(regularizer: str, strength: float) -> str:
    # Thousands of runs share a few.
    if regularizer == "none":
        return "NoReg"
    name = regularizer if is_custom(regularizer) else regularizer.upper()
    return f"{name}={format_strength(strength)}"


#: The base of 2017.
DEFAULTS = Variant(name="base")


def variant_fields() -> tuple[Field, ...]:
    """Every hyper-parameter of a variant, in the order of a form."""
    return declared_fields(Variant)


@lru_cache(maxsize=1)
def _original_fields() -> frozenset[str]:
    return frozenset(field.name for field in variant_fields() if field.is_original)
