"""`postertui trust`: which files of functions may be executed under this account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from postertui.cli.options import PATH, json_option, print_json
from postertui.cli.streams import print_message
from postertui.system.errors import UserError
from postertui.system.text import pluralize, to_single_line

if TYPE_CHECKING:
    from postertui.study import CodeSource
    from postertui.system.trusted_files import TrustedFile


@click.command("trust")
@click.argument("files", nargs=-1, type=PATH)
@click.option("--list", "only_list", is_flag=True, help="Show what is trusted.")
@click.option("--remove", "removed", multiple=True, metavar="FILE|SHA256", help="Trust no longer.")
@json_option
def trust_command(
    files: tuple[Path, ...], only_list: bool, removed: tuple[str, ...], as_json: bool
) -> int:
    """Let FILES of functions be executed: in training, predict and export-model.

    It is the content that is trusted, wherever it lies: a changed file has to be trusted again.
    `train` trusts the files that a study of your own names. Read a file before you trust it: it
    can do whatever you can.
    """
    from postertui.system import trusted_files as store

    if sum(map(bool, (files, only_list, removed))) != 1:
        raise click.UsageError("which file? Name some, or say --list or --remove")
    if removed:
        digests = [digest for text in removed for digest in _digests(text, store.trusted_files())]
        entries = store.distrust(digests)
        print_message(f"{pluralize(len(entries), 'file')} trusted no longer.")
    elif files:
        from postertui.system.text import describe_error

        sources = []
        for path in files:
            try:
                sources.append(_read(path))
            except ValueError as error:
                raise UserError(describe_error(error)) from None
        entries = store.trust((source.sha256, source.path) for source in sources)
        for source in sources:
            lines = source.data.count(b"\n") + 1
            print_message(
                f"Trusted: {source.path}, {pluralize(lines, 'line')}, SHA-256 {source.sha256}."
            )
    else:
        entries = store.trusted_files()
        if not as_json:
            for entry in entries:
                click.echo(f"{entry.sha256[:16]}  {to_single_line(entry.path)}")
    if as_json:
        print_json([{"sha256": e.sha256, "path": e.path, "since": e.since} for e in entries])
    return 0


def _read(path: Path) -> CodeSource:
    from postertui.study.custom import read_code_source

    try:
        return read_code_source(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _digests(text: str, entries: list[TrustedFile]) -> list[str]:
    """The digests that a file, a path on the list, or the first digits of a digest mean."""
    digests = [e.sha256 for e in entries if len(text) >= 8 and e.sha256.startswith(text.lower())]
    path = Path(text)
    digests += [e.sha256 for e in entries if e.path in (text, str(path.absolute()))]
    if path.is_file():
        digests.append(_read(path).sha256)
    if not {e.sha256 for e in entries} & set(digests):
        raise UserError(f"{text}: not trusted; `postertui trust --list` shows what is", exit_code=3)
    return digests
