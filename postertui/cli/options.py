"""Options that several commands share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from postertui.system.errors import UserError
from postertui.system.user_folders import fall_back_to

#: A path that the command checks, with an error of one line.
PATH = click.Path(path_type=Path, readable=False)


def _work_in(_ctx: click.Context, param: click.Parameter, folder: Path) -> Path:
    """Have a user without a home keep their files in the folder that the command works on."""
    fall_back_to(folder, first=param.name == "out")
    return folder


runs_option = click.option(
    "--runs",
    type=PATH,
    default=Path("runs"),
    show_default=True,
    help="The runs folder.",
    callback=_work_in,
)
out_option = click.option(
    "--out",
    type=PATH,
    default=Path("reports"),
    show_default=True,
    help="The folder of figures.",
    callback=_work_in,
)
data_option = click.option(
    "--data",
    type=PATH,
    default=Path("data"),
    show_default=True,
    help="The data folder.",
)
from_option = click.option(
    "--from",
    "source",
    type=PATH,
    help="A history table (.tsv, .csv, .parquet) instead of the runs.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def check_out(out: Path, runs: Path, option: str = "--out") -> None:
    """Raise `UserError` where output would lie in the runs folder, among the runs."""
    if out.resolve().is_relative_to(runs.resolve()):
        raise UserError(f"{option} {out}: lies in the runs folder {runs}; name another folder")


def print_json(document: Any) -> None:
    """Print JSON in ASCII, which any terminal and any pipe can carry."""
    click.echo(json.dumps(document, indent=1, allow_nan=False, default=str))


class Digits(click.ParamType):  # type: ignore[type-arg]
    """Cohorts: digits separated by commas; with `or_none`, the word none for none of them."""

    name = "DIGITS"

    def __init__(self, *, or_none: bool = False) -> None:
        self._or_none = or_none

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        if self._or_none and value == "none":
            return ()
        parts = [part.strip() for part in str(value).split(",")]
        if not all(len(part) == 1 and part in "0123456789" for part in parts):
            self.fail(f"{value!r} is not a list of digits such as 0,1,3", param, ctx)
        return tuple(dict.fromkeys(map(int, parts)))
