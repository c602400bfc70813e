"""Where a page's numbers come from: data, runs, versions, commands."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version

import polars as pl

from postertui.history.schema import PUBLISHED_SCHEMA
from postertui.runs.spec import RunSpec

_LIBRARIES = ("polars", "numpy", "scipy", "plotnine", "matplotlib")
_KEYS = ("name", "run", "seed")


def provenance(
    table: pl.DataFrame,
    *,
    origin: str,
    specs: Iterable[RunSpec] = (),
    commands: Sequence[str] = (),
) -> list[tuple[str, str]]:
    """Where a page's numbers come from, as pairs of term and text.

    Nothing in it depends on when or where the page is made: the same table gives the same page.

    Parameters
    ----------
    table
        The history table.
    origin
        What the table is of, as a user calls it.
    specs
        What its runs were to train, where it is of a runs folder.
    commands
        The command lines that make the page.
    """
    pairs = [("History table", f"{origin}, sha256 {table_digest(table)}")]
    pairs += _of_specs(list(specs))
    versions = {"postertui": _version("postertui"), "python": platform.python_version()}
    versions |= {name: _version(name) for name in _LIBRARIES}
    pairs.append(("This page", _listed(f"{k} {v}" for k, v in versions.items())))
    pairs += [("Command", command) for command in commands]
    return pairs


def table_digest(table: pl.DataFrame) -> str:
    """A digest of the published columns and of what distinguishes runs, as CSV in order of runs."""
    columns = [*PUBLISHED_SCHEMA, *_KEYS]
    text = table.select(columns).sort("run", "epoch").write_csv()
    return hashlib.sha256(text.encode()).hexdigest()


def _of_specs(specs: list[RunSpec]) -> list[tuple[str, str]]:
    if not specs:
        return []
    trained = sorted({f"{name} {v}" for s in specs for name, v in s.versions.items()})
    facts = {
        "Study": (s.study for s in specs),
        "Data": (f"fingerprint {s.data_fingerprint}" for s in specs if s.data_fingerprint),
        "Cohorts": (
            f"train {_digits(s.train_cohorts)}, "
            + (f"validate {_digits(s.val_cohorts)}, " if s.val_cohorts else "")
            + f"test {_digits(s.test_cohorts)}"
            for s in specs
        ),
        "Weights": (f"{s.weights.kind}, digest {s.weights.digest}" for s in specs),
        "Mode": (s.mode for s in specs),
    }
    pairs = [(term, _listed(sorted(set(values)), "; ")) for term, values in facts.items()]
    return [(t, v) for t, v in [*pairs, ("Trained with", _listed(trained))] if v]


def _digits(cohorts: Iterable[int]) -> str:
    return "+".join(str(c) for c in cohorts)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _listed(words: Iterable[str], separator: str = ", ") -> str:
    return separator.join(w for w in words if w)
