"""The program's commands, called within the process of the test."""

from __future__ import annotations

from click.testing import CliRunner, Result

from postertui.cli import cli


def invoke(*words: object) -> Result:
    """What `postertui` with `words` returns; an error is the result's `exception`."""
    return CliRunner().invoke(cli, [str(word) for word in words], standalone_mode=False)


def output_of(*words: object) -> str:
    """What `postertui` with `words` prints; its error is raised."""
    result = invoke(*words)
    if result.exception is not None:
        raise result.exception
    return result.output
