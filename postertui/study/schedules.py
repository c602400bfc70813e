"""How the learning rate changes over a run's epochs."""

from __future__ import annotations

from typing import Annotated

import msgspec

from postertui.study.field import Described


class Constant(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="constant"
):
    """The learning rate never changes."""


class Decay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="decay"):
    """`learning_rate` for the first `hold` epochs, then `learning_rate · factor^epoch`.

    Epochs count from 0 here, as Keras counts them for its `LearningRateScheduler`.
    """

    hold: Annotated[int, Described("epochs at the full rate", minimum=0)] = 6
    factor: Annotated[
        float, Described("rate · factor^epoch then", minimum=0, exclusive_minimum=True)
    ] = 0.5


class Plateau(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="plateau"
):
    """Keras' `ReduceLROnPlateau` on the monitored loss.

    As published (`min_rate` equal to the learning rate) it can never fire.
    """

    factor: Annotated[float, Described("rate · factor on a plateau", minimum=0, maximum=1)] = 0.2
    patience: Annotated[int, Described("epochs to wait", minimum=0)] = 1
    min_rate: Annotated[float, Described("never below this", minimum=0)] = 0.001
    min_delta: Annotated[float, Described("smaller changes are no progress", minimum=0)] = 1e-4


Schedule = Constant | Decay | Plateau

SCHEDULE_HELP = (
    "one of constant, decay, plateau, or a table such as "
    '{ kind = "decay", hold = 6, factor = 0.5 } or '
    '{ kind = "plateau", factor = 0.2, patience = 1, min_rate = 0.0001, min_delta = 0.0001 }'
)
