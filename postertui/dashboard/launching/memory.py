"""What was filled in the last time, for as long as the dashboard is open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postertui.study import Variant


@dataclass
class LaunchMemory:
    """The study that was chosen, and what was ticked and made.

    `variants` are the ticks by study; `genres` is None until a tick was changed, so that a study's
    own genres hold. `new_variants` are those made in the form, by study.
    """

    study: str = ""
    variants: dict[str, set[str]] = field(default_factory=dict)
    genres: set[str] | None = None
    new_variants: dict[str, dict[str, Variant]] = field(default_factory=dict)

    def ticked_variants(self, study: str, offered: set[str]) -> set[str]:
        """What is ticked when `study` is chosen: what was, else what the study before had too.

        Only the base where there is neither.
        """
        if study in self.variants:
            return self.variants[study] & offered
        return (self.variants.get(self.study, set()) & offered) or {"base"}
