"""A run's folder: what to train, its name, its lock, and the state that follows from its files.

runs/<run>/run.json      what to train; written once, before the first event
runs/<run>/events.jsonl  what happened (see `postertui.events`)
runs/<run>/checkpoint    the newest epoch's weights and optimiser state
runs/<run>/log.txt       what the job printed
runs/<run>/lock          flock held by the job for as long as it works on the run
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Literal

import msgspec

from postertui.study import Mode, Variant

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]


class Weights(msgspec.Struct, frozen=True):
    """Which weights the frozen network has: `kind` for people, `digest` for identity."""

    kind: Literal["imagenet", "random", "file"]
    digest: str
    path: str | None = None


class RunSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a job needs to know to train one run (the content of `run.json`).

    `data` is the absolute path of the data folder and `data_fingerprint` its content's digest.
    `versions` and `created` say how and when the run was asked for; they do not identify it.
    """

    variant: Variant
    genre: str
    seed: int
    study: str
    data: str
    data_fingerprint: str
    weights: Weights
    train_cohorts: tuple[int, ...] = (0,)
    test_cohorts: tuple[int, ...] = (2,)
    train_base_rate: float
    test_base_rate: float
    mode: Mode = "sound"
    created: float = 0.0
    versions: dict[str, str] = {}

    @property
    def run(self) -> str:
        """The run's folder name: a readable slug and a digest of what identifies it."""
        slug = "--".join(slugify(s)[:24] for s in (self.genre, self.variant.name, f"s{self.seed}"))
        return f"{slug}--{self.digest}"

    @property
    def digest(self) -> str:
        """Eight hex digits over everything that changes what is trained, and nothing else."""
        identity: dict[str, Any] = {
            "variant": {
                k: v
                for k, v in msgspec.to_builtins(self.variant).items()
                if k not in ("name", "family")
            },
            "genre": self.genre,
            "seed": self.seed,
            "data": self.data_fingerprint,
            "weights": self.weights.digest,
            "cohorts": [self.train_cohorts, self.test_cohorts],
            "mode": self.mode,
        }
        canonical = msgspec.json.encode(identity, order="sorted")
        return hashlib.sha256(canonical).hexdigest()[:8]


def slugify(text: str) -> str:
    """`text` as `[a-z0-9._-]+`, never empty and never starting with a dot."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip(".-") or "x"
