"""Any other comparison: panels per value of one or several settings, genres down the side."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

import polars as pl

from postertui.figures.collation import sort_values
from postertui.figures.curves import draw_curves
from postertui.figures.options import FigureOptions
from postertui.figures.picture import Picture
from postertui.figures.published import (
    LAST_EPOCH,
    PUBLISHED_X,
    common_genres,
    grid_axis,
    published_names,
)
from postertui.figures.source import FigureSource
from postertui.history.schema import SCHEMA
from postertui.study import Variant, variant_fields
from postertui.system.errors import UserError
from postertui.system.text import slugify

#: A table's column to the hyper-parameters behind it.
SETTINGS: dict[str, frozenset[str]] = {
    "Regularizer": frozenset({"regularizer", "strength"}),
    "FC1": frozenset({"fc1"}),
    "FC2": frozenset({"fc2"}),
    "batch_size": frozenset({"batch_size"}),
    "learning_rate": frozenset({"learning_rate", "schedule"}),
    **{
        field.name: frozenset({field.name})
        for field in variant_fields()
        if field.name not in ("family", "regularizer", "fc1", "fc2", "batch_size", "learning_rate")
    },
}
#: Columns that name a variant, whatever it changes.
IDENTITIES = ("variant", "name")
#: Columns that distinguish runs of one variant.
REPEATS = ("seed", "study", "attempt", "run")
ALIASES = {"batch": "batch_size", "lr": "learning_rate", "family": "variant", "fc": "FC1 + FC2"}

#: More columns of panels than this go on further pages.
PAGE_COLUMNS = 20


def parse_compared(text: str) -> tuple[str, ...]:
    """The columns that `--compare` names: `Regularizer`, `FC1 + FC2`, `batch`, `seed`.

    Raises
    ------
    UserError
        For an unknown one, naming those there are.
    """
    columns_by_word = {c.lower(): c for c in (*SETTINGS, *IDENTITIES, *REPEATS)}
    words = [w.strip() for part in text.replace(",", "+").split("+") if (w := part).strip()]
    columns: list[str] = []
    for word in words:
        alias = ALIASES.get(word.lower(), word)
        for name in alias.split(" + "):
            column = columns_by_word.get(name.lower())
            if column is None:
                reason = "changes from epoch to epoch" if word in SCHEMA else "is not a column"
                raise UserError(
                    f"--compare {text}: `{word}` {reason}; "
                    f"settings: {', '.join(columns_by_word.values())}"
                )
            columns.append(column)
    if not columns:
        raise UserError("--compare: name a column, such as Regularizer")
    return tuple(dict.fromkeys(columns))


def match_variants(source: FigureSource, patterns: Iterable[str]) -> list[str]:
    """The names of the variants that any pattern matches, by name, or else by family.

    Raises
    ------
    UserError
        With exit code 3 for a pattern that matches nothing.
    """
    families = dict(source.table.select("name", "variant").unique().iter_rows())
    chosen: set[str] = set()
    for pattern in patterns:
        wanted = pattern.lower()
        matches = {n for n in families if fnmatchcase(n.lower(), wanted)}
        matches = matches or {n for n, f in families.items() if fnmatchcase(f.lower(), wanted)}
        if not matches:
            names = ", ".join(sort_values(families))
            raise UserError(f"--variant {pattern}: no run of it; there are {names}", exit_code=3)
        chosen |= matches
    return sort_values(chosen)


def draw_comparison(
    source: FigureSource,
    columns: Sequence[str],
    options: FigureOptions,
    *,
    variants: Collection[str] = (),
    genres: Collection[str] = (),
    name: str = "",
) -> list[Picture]:
    """Base and every variant that differs from it in `columns` and in nothing else.

    Parameters
    ----------
    source
        The table's rows.
    columns
        Hyper-parameters; their values are the panels across, genres go down.
    options
        Look and metric.
    variants
        Narrows it (base stays); for columns that name variants they are what is shown.
    genres
        Which to show; without them those that a variant beside base has (strict: those that R
        showed).
    name
        The picture's name, instead of the columns' or variants'.

    Returns
    -------
    list of Picture
        Several pages where there are more values than fit beside each other.

    Raises
    ------
    UserError
        With exit code 3 where nothing is left.
    """
    columns_text = " + ".join(columns)
    table = source.with_settings(list(columns))
    table = table.filter(pl.col("name").is_in(_comparable(source, columns, variants, options)))
    if table.is_empty():
        raise UserError(
            f"--compare {columns_text}: no run to compare: it takes {source.base.name} and "
            "variants that differ from it in that alone; --compare variant takes all",
            exit_code=3,
        )
    if options.strict and "variant" in columns:
        table = table.filter(
            (pl.col("FC1") == source.base.fc1) & (pl.col("FC2") == source.base.fc2)
        )
    usual = slugify("-".join(columns if not variants or columns[0] not in IDENTITIES else variants))
    title = _title(columns, options)
    columns = _separate_variants(table, columns, options)
    table = table.with_columns(
        pl.col(c).cast(pl.String).fill_null("unknown") for c in columns if table[c].null_count()
    )
    notes = []
    if genres:
        table = table.filter(pl.col("genre").is_in(list(genres)))
    elif not options.strict:
        table, note = _compared_genres(table, source)
        notes += note
    elif set(columns) != {"FC1", "FC2"}:
        table = common_genres(f"--compare {columns_text}", source, table)
    if options.strict:
        table = table.filter(pl.col("epoch") <= LAST_EPOCH)
    if table.is_empty():
        raise UserError(f"--compare {columns_text}: no run of those genres", exit_code=3)
    if usual in published_names():
        usual = f"compare-{usual}"
    name = name or usual
    pages = _pages(table, columns)
    return [
        draw_curves(
            source,
            page,
            options,
            name=name if len(pages) == 1 else f"{name}-{number}",
            title=title,
            columns=columns,
            baseline_genres=[g for g in sort_values(page["genre"]) if source.is_common(g)]
            if options.strict
            else None,
            x=PUBLISHED_X if options.strict else None,
            y=grid_axis(options),
            notes=notes,
        )
        for number, page in enumerate(pages, 1)
    ]


def draw_variant(
    source: FigureSource, name: str, options: FigureOptions, genres: Collection[str] = ()
) -> Picture:
    """One variant: a panel per genre, as the figure `base` has them."""
    rows = source.table.filter(pl.col("name") == name)
    if genres:
        rows = rows.filter(pl.col("genre").is_in(list(genres)))
    if rows.is_empty():
        raise UserError(f"variant {name}: no run of those genres", exit_code=3)
    return draw_curves(
        source,
        rows,
        options,
        name=f"variant-{slugify(name)}",
        title=f"{options.metric_label} over {max(rows['epoch'].to_list())} epochs; {name}",
        down=(),
        columns=("genre",),
        wrap=True,
    )


def _comparable(
    source: FigureSource, columns: Sequence[str], variants: Collection[str], options: FigureOptions
) -> list[str]:
    base = source.base
    is_identity = any(c in IDENTITIES for c in columns)
    if is_identity:
        extra = [base.name] if options.strict else []
        return [*variants, *extra] if variants else list(source.variants)
    allowed = frozenset[str]().union(*(SETTINGS.get(c, frozenset()) for c in columns))
    if not allowed:
        return list(variants) or (
            [base.name] if base.name in source.variants else list(source.variants)
        )
    names = [
        name
        for name, variant in source.variants.items()
        if name == base.name
        or (
            (changed := changes(base, variant))
            and changed <= allowed | {"epochs"}
            and changed & allowed
        )
    ]
    return [n for n in names if not variants or n in variants or n == base.name]


def changes(base: Variant, other: Variant) -> frozenset[str]:
    """The hyper-parameters in which two variants differ."""
    return frozenset(
        field
        for field in Variant.__struct_fields__
        if field not in ("name", "family") and getattr(base, field) != getattr(other, field)
    )


def _title(columns: Sequence[str], options: FigureOptions) -> str:
    """The title in the wording of R's scripts, where the column `name` is called variant."""
    words = ["variant" if c == "name" and "variant" not in columns else c for c in columns]
    metric = "F-Score" if options.is_fscore else options.metric_label
    return f"Comparing {metric} per {' + '.join(words)}"


def _separate_variants(
    table: pl.DataFrame, columns: Sequence[str], options: FigureOptions
) -> tuple[str, ...]:
    """`columns`, with the variant's name where they would put two variants into one panel."""
    shared = table.group_by(*columns).agg(pl.col("name").n_unique().alias("_n"))["_n"].max()
    if options.strict or not isinstance(shared, int) or shared <= 1:
        return tuple(columns)
    kept = tuple(c for c in columns if c != "variant")
    return (*kept, "name") if "name" not in kept else kept


def _compared_genres(table: pl.DataFrame, source: FigureSource) -> tuple[pl.DataFrame, list[str]]:
    """The rows of genres that some variant beside base has, and what that leaves out."""
    others = table.filter(pl.col("name") != source.base.name)
    if others.is_empty():
        return table, []
    genres = others["genre"].unique().to_list()
    left_out = sort_values(set(table["genre"].to_list()) - set(genres))
    note = [f"only base has {', '.join(left_out)}; not shown"] if left_out else []
    return table.filter(pl.col("genre").is_in(genres)), note


def _pages(table: pl.DataFrame, columns: Sequence[str]) -> list[pl.DataFrame]:
    ranks = [{v: i for i, v in enumerate(sort_values(table[c].to_list()))} for c in columns]
    values = sorted(
        table.select(columns).unique().rows(),
        key=lambda row: [rank[v] for rank, v in zip(ranks, row, strict=True)],
    )
    if len(values) <= PAGE_COLUMNS:
        return [table]
    schema = table.select(columns).schema
    parts = [values[i : i + PAGE_COLUMNS] for i in range(0, len(values), PAGE_COLUMNS)]
    return [
        table.join(
            pl.DataFrame(part, schema=schema, orient="row"),
            on=list(columns),
            how="semi",
            nulls_equal=True,
            maintain_order="left",
        )
        for part in parts
    ]
