"""The hyper-parameters one by one: type, allowed values, a line of help.

TOML files and forms are validated through the same descriptions.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from postertui.study.consistency import check_effects
from postertui.study.custom import PARAMETERS, CodeFile, code_of, is_custom
from postertui.study.input_checks import settle_inputs
from postertui.study.model_checks import settle_model
from postertui.study.variants import (
    ALL_LAYERS,
    Augment,
    Balance,
    ClassWeight,
    Constant,
    Decay,
    InputKind,
    LayerRates,
    Loss,
    Model,
    Optimizer,
    Plateau,
    RegularizerKind,
    SharedLayers,
    Variant,
)

Kind = Literal["int", "float", "choice", "text", "bool", "schedule", "rates", "names"]

#: A variant's name: it becomes part of folder names and is matched by globs.
VARIANT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One hyper-parameter: type, allowed values, help.

    `minimum` is inclusive unless `exclusive_minimum`; `default` is the value of the 2017 base.
    `is_custom`: a function of the user's own is a choice, too.
    """

    name: str
    kind: Kind
    help: str
    default: Any = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    is_custom: bool = False

    @property
    def allowed(self) -> str:
        """The allowed values as text, for error messages and hints."""
        if self.kind == "choice":
            custom = ", or FILE.py:FUNCTION" if self.is_custom else ""
            return "one of " + ", ".join(self.choices) + custom
        if self.kind == "schedule":
            return SCHEDULE_HELP
        if self.kind == "text":
            return "text"
        if self.kind == "bool":
            return "true or false"
        if self.kind == "rates":
            return RATES_HELP
        if self.kind == "names":
            return 'a list of different names, such as ["year", "country"]'
        noun = "a whole number" if self.kind == "int" else "a number"
        if self.minimum is not None and self.maximum is not None:
            return f"{noun} from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f"{noun} {'above' if self.exclusive_minimum else 'of at least'} {self.minimum:g}"
        return noun

    def check(self, value: Any) -> Any:
        """`value` in its proper type. Raises `ValueError`, saying what is allowed."""
        match self.kind:
            case "choice":
                valid = value in self.choices or (self.is_custom and is_custom(value))
            case "text":
                valid = isinstance(value, str) and value.isprintable()
                valid = valid and (value.strip() != "" or value == self.default)
            case "bool":
                valid = isinstance(value, bool)
            case "schedule":
                return check_schedule(value)
            case "rates" if isinstance(value, dict | tuple):
                return check_rates(value)
            case "names":
                return self._check_names(value)
            case _:
                valid = self._is_number(value)
                if valid and self.kind != "int":
                    value = float(value)
        if not valid:
            raise ValueError(f"{as_toml(value)} is not {self.allowed}")
        return value

    def parse(self, text: str) -> Any:
        """The value of typed text. Raises `ValueError`, saying what is allowed."""
        value: Any = text.strip()
        try:
            if self.kind in ("schedule", "rates") and value.startswith("{"):
                value = tomllib.loads(f"value = {value}")["value"]
            elif self.kind == "int":
                value = int(value)
            elif self.kind in ("float", "rates"):
                value = float(value)
            elif self.kind == "names":
                value = [name.strip() for name in value.split(",") if name.strip()]
            elif self.kind == "bool":
                value = {"true": True, "false": False}[value.lower()]
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"not a table: {error}") from None
        except (ValueError, KeyError):
            raise ValueError(f"{as_toml(value)} is not {self.allowed}") from None
        return self.check(value)

    def _check_names(self, value: Any) -> tuple[str, ...]:
        names = [value] if isinstance(value, str) else value
        valid = isinstance(names, list | tuple) and all(
            isinstance(name, str) and name.isprintable() and name.strip() for name in names
        )
        if not valid or len(set(names)) < len(names):
            raise ValueError(f"{as_toml(value)} is not {self.allowed}")
        return tuple(names)

    def _is_number(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind == "int" and not isinstance(value, int):
            return False
        if not math.isfinite(value):
            return False
        if self.minimum is not None:
            too_small = value <= self.minimum if self.exclusive_minimum else value < self.minimum
            if too_small:
                return False
        return self.maximum is None or value <= self.maximum


SCHEDULE_HELP = (
    "one of constant, decay, plateau, or a table such as "
    '{ kind = "decay", hold = 6, factor = 0.5 } or '
    '{ kind = "plateau", factor = 0.2, patience = 1, min_rate = 0.0001, min_delta = 0.0001 }'
)

_SCHEDULES: dict[str, tuple[type[Any], dict[str, Field]]] = {
    "constant": (Constant, {}),
    "decay": (
        Decay,
        {
            "hold": Field(name="hold", kind="int", minimum=0, help="epochs at the full rate"),
            "factor": Field(
                name="factor",
                kind="float",
                minimum=0,
                exclusive_minimum=True,
                help="rate · factor^epoch then",
            ),
        },
    ),
    "plateau": (
        Plateau,
        {
            "factor": Field(
                name="factor", kind="float", minimum=0, maximum=1, help="rate · factor on a plateau"
            ),
            "patience": Field(name="patience", kind="int", minimum=0, help="epochs to wait"),
            "min_rate": Field(name="min_rate", kind="float", minimum=0, help="never below this"),
            "min_delta": Field(
                name="min_delta", kind="float", minimum=0, help="smaller changed are no progress"
            ),
        },
    ),
}


def check_schedule(value: Any) -> Any:
    """A schedule from its kind's name or from a table with `kind`."""
    if isinstance(value, Constant | Decay | Plateau):
        return value
    table = {"kind": value} if isinstance(value, str) else value
    if not isinstance(table, dict) or table.get("kind") not in _SCHEDULES:
        raise ValueError(f"{as_toml(value)} is not {SCHEDULE_HELP}")
    schedule, fields = _SCHEDULES[table["kind"]]
    values = {}
    for key, entry in table.items():
        if key == "kind":
            continue
        if key not in fields:
            allowed = ", ".join(["kind", *fields])
            raise ValueError(
                f"unknown key {key} of a {table['kind']} schedule (allowed: {allowed})"
            )
        try:
            values[key] = fields[key].check(entry)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    return schedule(**values)


RATES_HELP = (
    "a number above 0 and up to 1, or a table of such numbers for layers or how their names begin: "
    "{ block5 = 0.1, block4 = 0.01 }"
)


def check_rates(value: dict[str, Any] | LayerRates) -> LayerRates:
    """Factors on the learning rate by layer, from a table."""
    table = dict(value)
    for layer, rate in table.items():
        numeric = isinstance(rate, int | float) and not isinstance(rate, bool)
        if not (numeric and 0 < rate <= 1 and layer.strip()):
            raise ValueError(f"{layer} = {as_toml(rate)} is not part of {RATES_HELP}")
    if not table:
        raise ValueError(f"an empty table is not {RATES_HELP}")
    return tuple((layer, float(rate)) for layer, rate in table.items())


def as_toml(value: Any) -> str:
    """A value as TOML would write it."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def describe_fields() -> tuple[Field, ...]:
    """Every hyper-parameter of a variant, in the order of a form."""
    return _FIELDS


def check_variant(
    name: str,
    values: dict[str, Any],
    base: Variant | None = None,
    code: Mapping[str, CodeFile] | None = None,
) -> Variant:
    """A variant from what it changed about `base`.

    Its family is its name where `values` has none. `code` has the files of the functions that
    `values` names, by field. Raises `ValueError` as `key: what is wrong`.
    """
    if not VARIANT_NAME.fullmatch(name):
        raise ValueError(
            f'name: "{name}" is not 1 to 60 letters, digits, dots, dashes or underscores'
        )
    fields = {f.name: f for f in _FIELDS}
    changed: dict[str, Any] = {"name": name, "family": name}
    for key, value in values.items():
        if key not in fields:
            raise ValueError(f"{key}: unknown key (allowed: {', '.join(fields)})")
        try:
            changed[key] = fields[key].check(value)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    parent = Variant(name=name) if base is None else base
    if changed.get("regularizer", parent.regularizer) == "none":
        # λ has no meaning without a regularizer; a fixed value keeps equal variants equal.
        changed["strength"] = 0.0
    elif parent.regularizer == "none" and "strength" not in changed:
        raise ValueError("strength: needed here, for the base has no regularizer")
    variant = msgspec.structs.replace(parent, **changed)
    _check_backbone_fields(variant)
    check_effects(variant, values, parent)
    _check_shared_layers(variant)
    custom = {field: getattr(variant, field) for field in PARAMETERS}
    variant = msgspec.structs.replace(variant, code=code_of(custom, code or {}, parent.code))
    return settle_model(settle_inputs(variant, changed), changed)


def _check_backbone_fields(variant: Variant) -> None:
    """Raise `ValueError` for fields that contradict each other."""
    if not variant.has_custom_network and not re.fullmatch(r"[a-z0-9]{1,40}", variant.network):
        raise ValueError(
            f'network: "{variant.network}" is not the name of a network of keras.applications in '
            "lower case, such as vgg16 or resnet50, or scratch, or FILE.py:FUNCTION"
        )
    if variant.balance == "mirror-positives" and variant.augment != "none":
        raise ValueError(
            f"augment: {variant.augment} shows mirror images of its own; balance mirror-positives "
            'goes with augment = "none"'
        )
    if not re.fullmatch(r"[a-z0-9]{1,40}", variant.backbone):
        raise ValueError(f'backbone: "{variant.backbone}" is not the name of a network, or none')
    if variant.backbone != _DEFAULTS.backbone and not variant.has_custom_network:
        raise ValueError("backbone: of a network of your own; else `network` says which")
    chosen = [
        name
        for name, is_set in (
            ("frozen_layers", variant.frozen_layers != ALL_LAYERS),
            ("trainable_layers", variant.trainable_layers > 0),
            ("train_from", variant.train_from != ""),
        )
        if is_set
    ]
    if len(chosen) > 1:
        raise ValueError(f"{chosen[-1]}: contradicts {chosen[0]}; give one of them")
    if chosen == ["frozen_layers"] and variant.backbone_name not in ("vgg16", "scratch"):
        raise ValueError("frozen_layers: counts VGG16's layers; use trainable_layers or train_from")
    if chosen and chosen != ["frozen_layers"] and variant.backbone_name == "scratch":
        raise ValueError(f"{chosen[0]}: scratch has no backbone")


def _check_shared_layers(variant: Variant) -> None:
    """Raise `ValueError` where genres cannot have layers in common."""
    if not variant.shares_layers:
        return
    if variant.network == "scratch":
        raise ValueError("share: scratch has no fc1 and fc2 on top of a backbone")
    if variant.model != "network":
        raise ValueError(f"share: contradicts model; {variant.model} has no layers")
    if variant.inputs != "poster":
        raise ValueError("share: contradicts inputs; genres share layers on posters alone")
    for field in PARAMETERS:
        if is_custom(getattr(variant, field)):
            raise ValueError(f"share: contradicts a {field} of your own, which is for one genre")
    if variant.balance != "none":
        raise ValueError(
            "share: contradicts balance; genres that are trained together see the same posters"
        )


_DEFAULTS = Variant(name="base")


def _field(name: str, kind: Kind, meaning: str, **limits: Any) -> Field:
    return Field(name=name, kind=kind, help=meaning, default=getattr(_DEFAULTS, name), **limits)


_FIELDS: tuple[Field, ...] = (
    _field("family", "text", "the column `variant` of the history table; its own name if left out"),
    _field("network", "text", "of keras.applications in lower case, scratch, or your own"),
    _field(
        "frozen_layers",
        "int",
        "VGG16's layers that do not train, from the input: 19 all, 17 trains block5_conv3",
        minimum=0,
        maximum=ALL_LAYERS,
    ),
    _field("fc1", "int", "first dense layer's width", minimum=1, maximum=65536),
    _field("fc2", "int", "second dense layer's width", minimum=1, maximum=65536),
    _field(
        "regularizer",
        "choice",
        "of the second dense layer's activity",
        choices=get_args(RegularizerKind),
        is_custom=True,
    ),
    _field("strength", "float", "λ, applied to the sum over a batch", minimum=0),
    _field(
        "loss",
        "choice",
        "one minus the soft F, or binary cross-entropy",
        choices=get_args(Loss),
        is_custom=True,
    ),
    _field("learning_rate", "float", "Adam's, at the start", minimum=0, exclusive_minimum=True),
    _field("schedule", "schedule", "how the learning rate changed"),
    _field("batch_size", "int", "posters per update", minimum=1, maximum=65536),
    _field("epochs", "int", "passes over the training cohorts", minimum=1, maximum=100_000),
    _field("early_stopping", "int", "epochs without progress before it stops; 0 never", minimum=0),
    _field(
        "restore_best",
        "bool",
        "end with the weights of the epoch with the lowest monitored loss",
    ),
    _field(
        "side", "int", "of the posters in pixels; 0 is the data's first", minimum=0, maximum=512
    ),
    _field("trainable_layers", "int", "the backbone's last layers that train", minimum=0),
    _field("train_from", "text", "the backbone's first layer that trains, by its name"),
    _field(
        "backbone_rate",
        "rates",
        "factor on the learning rate of pretrained layers that train, or { block5 = 0.1 }",
        minimum=0,
        maximum=1,
        exclusive_minimum=True,
    ),
    _field("augment", "choice", "mirrored posters in training", choices=get_args(Augment)),
    _field(
        "balance",
        "choice",
        "equal numbers of positives and negatives in training",
        choices=get_args(Balance),
    ),
    _field("optimizer", "choice", "how weights are updated", choices=get_args(Optimizer)),
    _field("momentum", "float", "of sgd", minimum=0, maximum=0.999),
    _field("weight_decay", "float", "of adamw", minimum=0, maximum=1),
    _field("dropout", "float", "share of each hidden dense layer dropped", minimum=0, maximum=0.95),
    _field(
        "kernel_regularizer",
        "choice",
        "of the hidden dense layers' kernels",
        choices=get_args(RegularizerKind),
        is_custom=True,
    ),
    _field("kernel_strength", "float", "λ of the kernel regularizer", minimum=0),
    _field("backbone", "text", "whose features a network of your own gets; none for images"),
    _field("inputs", "choice", "what is learnt from", choices=get_args(InputKind)),
    _field("details", "names", "columns of the details, joined by commas; all if left out"),
    _field(
        "details_units", "int", "width of the details' own dense layer", minimum=1, maximum=65536
    ),
    _field("with_details", "bool", "leave out posters without details"),
    _field("model", "choice", "a network, or of scikit-learn", choices=get_args(Model)),
    _field(
        "class_weight",
        "choice",
        "of a classical model: both classes weigh the same, or each poster",
        choices=get_args(ClassWeight),
    ),
    _field(
        "C",
        "float",
        "inverse strength of the regularization of logistic and svc",
        minimum=0,
        exclusive_minimum=True,
    ),
    _field("trees", "int", "of forest and boosting", minimum=1, maximum=100_000),
    _field("depth", "int", "of each tree; 0 for any", minimum=0, maximum=1000),
    _field(
        "shrinkage",
        "float",
        "boosting's learning rate",
        minimum=0,
        maximum=1,
        exclusive_minimum=True,
    ),
    _field(
        "share",
        "choice",
        "dense layers that all genres of a request have in common",
        choices=get_args(SharedLayers),
    ),
)
