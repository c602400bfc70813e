"""Simulated studies, and how often the verdicts on them are wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.analysis.check_errors import noise_of_both
from postertui.analysis.check_rows import AGAINST_SCHEMA
from postertui.analysis.check_verdicts import add_verdicts, assess_rows
from postertui.analysis.comparison_rows import compare_values
from postertui.analysis.diagnosis import diagnose_table
from postertui.analysis.noise import estimate_noise
from postertui.analysis.values import genres_share_seeds, run_values
from postertui.history.schema import normalise

Floats = NDArray[np.float64]

#: One run's standard deviation, and a difference that a study would like to see.
SD, LIFT = 0.01, 0.02
NOMINAL, ALLOWED, COVERED = 0.05, 0.06, 0.94


@dataclass(frozen=True)
class Scenario:
    """A simulated study.

    Attributes
    ----------
    variants, genres, seeds
        How many; the first variant is the reference.
    genre_spread
        The ratio of the noisiest genre's standard deviation to the quietest one's.
    noisy
        How much noisier the last variant is than the others.
    shared_by
        `genre`: runs of one seed and genre are correlated over variants, as by the same initial
        weights. `all`: runs of one seed are, over variants and genres.
    correlation
        How strongly.
    lost
        How many runs of the last variant, and of the reference, died; at random.
    reference_seeds
        How many seeds the reference has, where it has others than the variants.
    """

    variants: int
    genres: int
    seeds: int
    genre_spread: float = 1.0
    noisy: float = 1.0
    shared_by: str = ""
    correlation: float = 0.5
    lost: int = 0
    reference_seeds: int = 0

    @property
    def label(self) -> str:
        kind = f"noisy x{self.noisy:g}" if self.noisy != 1 else ""
        kind = kind or (f"genres x{self.genre_spread:g}" if self.genre_spread != 1 else "equal")
        if self.shared_by:
            kind = f"seeds shared by {self.shared_by}"
        if self.lost:
            kind += f", {self.lost} lost"
        if self.reference_seeds:
            kind += f", {self.reference_seeds} of base"
        return f"{self.variants:>2} variants {self.genres:>2} genres {self.seeds} seeds, {kind}"

    def draw(self, rng: np.random.Generator, lift: float = 0.0) -> Floats:
        """Values of shape (variants, genres, seeds); all variants but the first have `lift`.

        NaN where there is no run, or a dead one.
        """
        shape = (self.variants, self.genres, max(self.seeds, self.reference_seeds))
        spread = np.geomspace(1, self.genre_spread, self.genres) if self.genres > 1 else np.ones(1)
        sd = SD * np.outer(
            np.where(np.arange(self.variants) == self.variants - 1, self.noisy, 1), spread
        )
        noise = rng.standard_normal(shape)
        if self.shared_by == "genre":
            common = rng.standard_normal((1, *shape[1:]))
        elif self.shared_by == "all":
            common = rng.standard_normal((self.variants, 1, shape[2]))
        else:
            common = np.zeros(shape)
        rho = self.correlation if self.shared_by else 0.0
        values = 0.3 + sd[:, :, None] * (math.sqrt(1 - rho) * noise + math.sqrt(rho) * common)
        values[1:] += lift
        if self.reference_seeds:
            values[0, :, self.reference_seeds :] = math.nan
            values[1:, :, self.seeds :] = math.nan
        for variant, seeds in ((0, self.reference_seeds or self.seeds), (-1, self.seeds)):
            for run in rng.choice(self.genres * seeds, self.lost, replace=False):
                values[variant, run // seeds, run % seeds] = math.nan
        return values

    def study(
        self, rng: np.random.Generator, lift: float = 0.0, first_seed: int = 0
    ) -> pl.DataFrame:
        """The same as `run_values` gives the numbers of a table."""
        return frame(self.draw(rng, lift), first_seed)


@dataclass
class Rate:
    """A share of trials, with its simulation error over independent studies."""

    hits: list[float] = field(default_factory=list)

    def add(self, share: float) -> None:
        if not math.isnan(share):
            self.hits.append(share)

    @property
    def mean(self) -> float:
        return float(np.mean(self.hits)) if self.hits else math.nan

    @property
    def error(self) -> float:
        n = len(self.hits)
        return float(np.std(self.hits) / math.sqrt(n)) if n > 1 else math.nan

    def __str__(self) -> str:
        if not self.hits:
            return "   too little data"
        return f"{100 * self.mean:5.1f} ± {100 * self.error:3.1f} %"


def frame(values: Floats, first_seed: int = 0) -> pl.DataFrame:
    """An array (variants, genres, seeds) as `run_values` gives the numbers of a table."""
    v, g, s = (a.ravel() for a in np.indices(values.shape))
    name = [f"v{i:02}" for i in range(values.shape[0])]
    genre = [f"g{i:02}" for i in range(values.shape[1])]
    value = values.ravel()
    lives = ~np.isnan(value)
    return pl.DataFrame(
        {
            "name": np.array(name)[v],
            "genre": np.array(genre)[g],
            "seed": s + first_seed,
            "fold": [""] * value.size,
            "replicate": np.zeros(value.size, dtype=np.int64),
            "value": value if lives.all() else pl.Series(value).fill_nan(None),
            "state": np.where(lives, "ok", "dead"),
        }
    )


NAMES = ("row FP", "worst row", "any row", "cell FP", "coverage", "power", "check", "check power")


def simulate(scenario: Scenario, repeats: int, seed: int = 0) -> dict[str, Rate]:
    """Error rates of a scenario.

    `row FP`: rows with p below .05. `worst row`: the same for the noisiest row. `any row`: studies
    with any verdict after Holm. `cell FP`: cells with p below .05. `coverage`: rows whose interval
    has the truth. `power`: rows seen (p below .05) where they differ by `LIFT`. `check`: studies
    that fail against another study of the same settings. `check power`: the same where the last
    variant has become worse by `LIFT`, and is named.
    """
    rng = np.random.default_rng(seed)
    rates = {name: Rate() for name in NAMES}
    chosen = [(f"v{i:02}", "v00") for i in range(1, scenario.variants)]
    shared = scenario.shared_by == "all"
    for _ in range(repeats):
        values = scenario.study(rng)
        noise = estimate_noise(values, {})
        rows, cells = compare_values(values, chosen, noise, shared_seeds=shared)
        p = rows["p"].to_numpy()
        defined = ~np.isnan(p)
        rates["row FP"].add(float((p[defined] < NOMINAL).mean()) if defined.any() else math.nan)
        worst = float(rows.filter(pl.col("name") == chosen[-1][0])["p"].to_list()[0])
        rates["worst row"].add(math.nan if math.isnan(worst) else float(worst < NOMINAL))
        if defined.any():
            rates["any row"].add(float(rows["verdict"].is_in(["better", "worse"]).any()))
            low, high = rows["low"].to_numpy()[defined], rows["high"].to_numpy()[defined]
            rates["coverage"].add(float(((low <= 0) & (high >= 0)).mean()))
            other = scenario.study(rng, LIFT)
            rows, _ = compare_values(other, chosen, estimate_noise(other, {}), shared_seeds=shared)
            p = rows["p"].to_numpy()
            p = p[~np.isnan(p)]
            rates["power"].add(float((p < NOMINAL).mean()) if p.size else math.nan)
        p = cells["p"].to_numpy()
        defined = ~np.isnan(p)
        rates["cell FP"].add(float((p[defined] < NOMINAL).mean()) if defined.any() else math.nan)
        again = scenario.study(rng, first_seed=100)
        report = check_values(again, values, shared_seeds=shared)
        if report is not None:
            rates["check"].add(float(report["failed"].any()))
            worse = again.with_columns(
                value=pl.col("value") - LIFT * (pl.col("name") == again["name"][-1])
            )
            report = check_values(worse, values, shared_seeds=shared)
            assert report is not None
            named = report.filter(pl.col("name") == again["name"][-1])["failed"]
            rates["check power"].add(float(named.any()))
    return rates


def check_values(
    now: pl.DataFrame, then: pl.DataFrame, *, shared_seeds: bool
) -> pl.DataFrame | None:
    """`check_against` on one number per run (`run_values`), for settings in both tables.

    None where the noise is unknown. It knows no allowed or missing settings.
    """
    rows, _ = assess_rows(now, then, noise_of_both(now, then, {}), shared_seeds=shared_seeds)
    if not any(row["_df"] for row in rows):
        return None
    add_verdicts(rows, None, 1.0)
    return pl.DataFrame(
        [{k: row[k] for k in AGAINST_SCHEMA} for row in rows], schema=AGAINST_SCHEMA
    )


def real_splits(
    table: pl.DataFrame, sizes: tuple[int, int], repeats: int, rng: np.random.Generator
) -> dict[str, Rate]:
    """Random splits of the seeds of each setting, as two tables and as two variants."""
    values = run_values(table, "test_fscore_soft")
    shared = genres_share_seeds(table)
    settings = [group for _, group in values.group_by("name", "genre", maintain_order=True)]
    rates = {name: Rate() for name in ("check", "row FP", "cell FP", "coverage")}
    for _ in range(repeats):
        halves: list[list[pl.DataFrame]] = [[], []]
        # One order of seeds for all genres of a variant, so that what seeds share stays shared.
        orders = {
            name: rng.permutation(sorted(set(own["seed"].to_list())))
            for (name,), own in values.group_by("name", maintain_order=True)
        }
        for group in settings:
            order = orders[group["name"][0]]
            for half, seeds in zip(
                halves, (order[: sizes[0]], order[sizes[0] : sum(sizes)]), strict=True
            ):
                half.append(group.filter(pl.col("seed").is_in(seeds.tolist())))
        now, then = pl.concat(halves[0]), pl.concat(halves[1])
        report = check_values(now, then, shared_seeds=shared)
        rates["check"].add(math.nan if report is None else float(report["failed"].any()))
        other = now.with_columns(name=pl.col("name") + " again")
        both = pl.concat([then, other])
        names = sorted(set(then["name"].to_list()))
        rows, cells = compare_values(
            both,
            [(f"{name} again", name) for name in names],
            estimate_noise(both, {}),
            shared_seeds=shared,
        )
        for frame_, key in ((rows, "row FP"), (cells, "cell FP")):
            p = frame_["p"].to_numpy()
            p = p[~np.isnan(p)]
            rates[key].add(float((p < NOMINAL).mean()) if p.size else math.nan)
        low, high = rows["low"].to_numpy(), rows["high"].to_numpy()
        defined = ~np.isnan(low)
        if defined.any():
            rates["coverage"].add(float(((low <= 0) & (high >= 0))[defined].mean()))
    return rates


def false_alarms(
    seeds: int, autocorrelation: float, repeats: int, *, epochs: int = 10, seed: int = 0
) -> Rate:
    """How often flat curves of a setting are called overfitting or improving.

    Curves are autoregressive with that correlation from epoch to epoch; training gains steadily.
    """
    rng = np.random.default_rng(seed)
    size = repeats * seeds
    curves = np.empty((size, epochs))
    curves[:, 0] = rng.standard_normal(size)
    for later in range(1, epochs):
        fresh = rng.standard_normal(size) * math.sqrt(1 - autocorrelation**2)
        curves[:, later] = autocorrelation * curves[:, later - 1] + fresh
    run, epoch = (a.ravel() for a in np.indices(curves.shape))
    table = normalise(
        pl.DataFrame(
            {
                "Regularizer": "L1=1e-5",
                "FC1": 256,
                "FC2": 256,
                "variant": "base",
                "genre": "Comedy",
                "name": np.char.add("v", (run // seeds).astype(str)),
                "run": np.char.add("r", run.astype(str)),
                "seed": run % seeds,
                "epoch": epoch + 1,
                "train_fscore_soft": 0.4 + 0.02 * epoch,
                "test_fscore_soft": 0.3 + SD * curves.ravel(),
                "test_accuracy": 0.6,
            }
        )
    )
    findings = diagnose_table(table).filter(pl.col("kind").is_in(["overfitting", "improving"]))
    rate = Rate()
    flagged = set(findings["name"].to_list())
    for setting in range(repeats):
        rate.add(float(f"v{setting}" in flagged))
    return rate
