"""`postertui export-model`: trained models as one file that Keras alone can use."""

from __future__ import annotations

from pathlib import Path

import click

from postertui.cli.options import PATH, check_out, json_option, print_json, runs_option
from postertui.cli.selection import check_exists, open_store
from postertui.system.errors import UserError


@click.command("export-model")
@click.argument("names", metavar="RUN...", nargs=-1, required=True)
@click.option("-o", "--output", "target", type=PATH, required=True, help="A .keras file.")
@runs_option
@click.option("--data", type=PATH, help="The data folder, where it is no longer where it was.")
@json_option
def export_model_command(
    names: tuple[str, ...], target: Path, runs: Path, data: Path | None, as_json: bool
) -> int:
    """Write runs' models as one complete Keras model.

    `keras.models.load_model(FILE).predict(images)` takes uint8 images of any size and needs
    nothing of postertui. Several runs become named outputs; what they share is stored once.
    """
    from postertui.predictions.export import export_models, output_names
    from postertui.predictions.models import named_models, trained_models

    if target.suffix != ".keras":
        raise UserError(f"{target}: name the file .keras")
    if not target.parent.is_dir():
        raise UserError(f"{target}: there is no folder {target.parent}; make it first")
    if target.is_dir():
        raise UserError(f"{target}: is a folder; name a file")
    check_exists(runs)
    check_out(target, runs, "-o")
    models = output_names(named_models(trained_models(open_store(runs)), names))
    export_models(models, target, data)
    facts = [
        {"output": name, "genre": m.genre, "run": m.run, "threshold": m.threshold}
        for name, m in models.items()
    ]
    if as_json:
        print_json({"file": str(target), "bytes": target.stat().st_size, "outputs": facts})
        return 0
    click.echo(f"{target}  {target.stat().st_size / 1e6:.1f} MB")
    for fact in facts:
        click.echo(f"  {fact['output']}: {fact['run']}, threshold {fact['threshold']:.3f}")
    return 0
