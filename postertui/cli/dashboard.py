"""`postertui`: the dashboard."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("dashboard")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
@click.option("--read-only", is_flag=True, help="Change nothing: no starting, no cancelling.")
@click.option("--ascii", "ascii_only", is_flag=True, help="No braille and no symbols.")
@click.option("--mouse/--no-mouse", default=True, help="Leave the mouse to the terminal.")
@click.option("--theme", help="dark, light or colour-blind.")
@click.option("--filter", "filter_text", help="Start with this filter.")
@click.option("--study", default="milestone4", show_default=True, help="The study to launch from.")
def dashboard_command(
    runs: Path,
    data: Path,
    out: Path,
    read_only: bool,
    ascii_only: bool,
    mouse: bool,
    theme: str | None,
    filter_text: str | None,
    study: str,
) -> None:
    """Every run's curves, live."""
    from postertui.dashboard.setup import Setup
    from postertui.dashboard.start import run_dashboard

    run_dashboard(
        Setup(
            runs=runs,
            data=data,
            out=out,
            read_only=read_only,
            ascii_only=ascii_only,
            mouse=mouse,
            theme=theme,
            filter=filter_text,
            study=study,
        )
    )
