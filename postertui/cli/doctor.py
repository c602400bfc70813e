"""`postertui doctor`: is everything in order, and what to do where it is not."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import click

from postertui.cli.options import data_option, json_option, print_json, runs_option


@click.command("doctor")
@click.option("--repair", is_flag=True, help="Move damaged runs aside, end jobs without an owner.")
@click.option("--on", metavar="WHERE", help="ray[:HOST[:PORT]]: check that cluster's nodes too.")
@runs_option
@data_option
@json_option
def doctor_command(repair: bool, on: str | None, runs: Path, data: Path, as_json: bool) -> int:
    """Check what is installed, the devices, the weights, the data and the runs.

    Exit code 1 where something is wrong. `--repair` moves damaged runs to `.damaged` in the runs
    folder; nothing of a run is deleted.
    """
    from postertui.doctor import examine

    examined = examine(runs, data, repair=repair)
    if on is not None:
        from postertui.supervisor.backends.clusters import open_cluster

        if cluster := open_cluster(on):
            examined = itertools.chain(examined, cluster.examine(runs, data))
    findings = []
    for finding in examined:
        findings.append(finding)
        if not as_json:
            click.echo(f"{finding.status:<5}  {finding.area:<9}  {finding.text}")
            if finding.mend:
                click.echo(f"{'':<18}to mend: {finding.mend}")
    if as_json:
        print_json([dataclasses.asdict(f) for f in findings])
    return int(any(finding.status == "wrong" for finding in findings))
