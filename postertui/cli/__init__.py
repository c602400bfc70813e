"""The command line: thin commands, each in a module that is imported only when it is called.

Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 something
failed while working, 2 the command line or an input is wrong, 3 nothing matched.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, NoReturn

import click

from postertui.cli.dashboard import dashboard_options, open_dashboard
from postertui.cli.streams import (
    READER_GONE,
    ReaderGoneError,
    discard_output,
    prepare_streams,
    refusal,
)
from postertui.system.errors import UserError
from postertui.system.version import __version__

#: Command to the module in `postertui.cli` that defines it, and its line in `--help`. Kept here as
#: text so that `postertui --help` imports none of them.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "Make a small poster set, train on it, show it live, draw the report."),
    "data": ("data", "Build the poster cohorts, or show them."),
    "train": ("train", "Train the runs of a study that are missing."),
    "runs": ("runs", "List the runs and their states."),
    "cancel": ("requests", "Cancel runs."),
    "retry": ("requests", "Queue failed, cancelled or interrupted runs again."),
    "pause": ("requests", "Start no further runs until `resume`."),
    "resume": ("requests", "Go on after `pause`."),
    "priority": ("requests", "Let runs go earlier or later."),
    "trust": ("trust", "Allow files of your own functions to be executed; list or revoke."),
    "log": ("runs", "Print what a run's job printed."),
    "rm": ("rm", "Remove runs; --undo brings them back, --empty deletes them for good."),
    "prune": ("prune", "Remove weights, predictions and checkpoints to free disk space."),
    "import": ("tables", "Read histories of any training program into runs."),
    "export": ("tables", "Write the history table to a file."),
    "report": ("report", "Draw figures."),
    "predict": ("predict", "Predict the genres of posters with trained models."),
    "importance": ("importance", "Say which details a model relies on, with intervals."),
    "export-model": ("export_model", "Write trained models as one file for Keras."),
    "posters": ("posters", "List the posters that a model gets wrong."),
    "compare": ("compare", "Compare variants, with the noise in view."),
    "leaderboard": ("findings", "Rank the variants; a lead within noise is a tie."),
    "plan": ("plan", "Say how many seeds a comparison needs, from measured noise."),
    "bars": ("findings", "Compare a variant with base rate and always-yes F."),
    "diagnose": ("findings", "Say what went wrong in which run, and what to try."),
    "ensemble": ("ensemble", "Compare ensembles of variants with single ones."),
    "check": ("check", "Fail where a variant got worse than a reference beyond noise."),
    "doctor": ("doctor", "Check what is installed, the devices, the data and the runs."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"postertui.cli.{COMMANDS[name][0]}")
        command = getattr(module, f"{name.replace('-', '_')}_command")
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = " or ".join(difflib.get_close_matches(args[0], COMMANDS, n=2))
            if not close:
                raise
            raise click.UsageError(f"{error.message} Did you mean {close}?", ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderGoneError from None  # which click would make a failure of

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="postertui")
@dashboard_options
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> None:
    """Train many small poster classifiers, watch every curve live, draw the figures.

    Without a command: the dashboard, to which the options here belong.
    """
    if ctx.invoked_subcommand is None:
        open_dashboard(**options)
        return
    for name in options:
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            flag = "--" + name.replace("_", "-")
            raise UserError(
                f"{flag} before `{ctx.invoked_subcommand}` belongs to the dashboard; "
                f"options of `{ctx.invoked_subcommand}` come after it"
            )


def main() -> None:
    """Run the command line; errors for people are one line, without a traceback."""
    prepare_streams()
    try:
        code = cli.main(standalone_mode=False, prog_name="postertui")
        sys.stdout.flush()
    except UserError as error:
        _end(str(error), error.exit_code)
    except click.ClickException as error:
        _end(_in_a_line(error), 2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except (ReaderGoneError, BrokenPipeError):
        discard_output()
        sys.exit(READER_GONE)
    except Exception as error:
        if isinstance(error, OSError) and (refused := refusal(error)):
            discard_output()
            _end(refused, 1)
        from postertui.system.crash_log import log_traceback

        _end(log_traceback(error), 1)
    sys.exit(code if isinstance(code, int) else 0)


def _end(message: str, code: int) -> NoReturn:
    click.echo(f"postertui: {message}", err=True)
    sys.exit(code)


def _in_a_line(error: click.ClickException) -> str:
    """What is wrong with the command line, and where its help is."""
    message = " ".join(error.format_message().split())
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return message
    return f"{message.rstrip('.')}; see `{error.ctx.command_path} --help`"
