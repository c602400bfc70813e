"""Trained models as one Keras model: what the subprocess is asked, and the file."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from postertui.predictions.inference import ModelRequest, model_request, run_job
from postertui.predictions.models import TrainedModel
from postertui.system.atomic_files import DRAFT_PREFIX, umask
from postertui.system.errors import UserError


class ExportRequest(msgspec.Struct, frozen=True):
    """Models by the name of their output, and the `.keras` file to write."""

    models: dict[str, ModelRequest]
    output: str


def output_names(models: Sequence[TrainedModel]) -> dict[str, TrainedModel]:
    """A name for each model's output: its genre, with variant and seed where genres repeat."""
    genres = [model.genre for model in models]
    named: dict[str, TrainedModel] = {}
    for model in models:
        parts = [model.genre]
        if genres.count(model.genre) > 1:
            parts += [model.spec.variant.name, f"s{model.spec.seed}"]
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", "--".join(parts)).strip("_.-") or "output"
        if name in named:
            name = f"{name}--{model.spec.digest}"
        named[name] = model
    return named


def export_models(
    models: Mapping[str, TrainedModel], target: Path, data: Path | None = None
) -> None:
    """Write one complete Keras model to `target`, whole or not at all.

    Parameters
    ----------
    models
        Each becomes an output (`output_names`).
    data
        The models' data folder, if it has moved.

    Raises
    ------
    UserError
        Where a model cannot be used; with exit code 1 where the file cannot be written.
    """
    requests = {name: model_request(model, data) for name, model in models.items()}
    try:
        with tempfile.TemporaryDirectory(prefix=DRAFT_PREFIX, dir=target.parent) as folder:
            draft = Path(folder) / "model.keras"
            run_job("postertui.training.export", ExportRequest(requests, str(draft)))
            draft.chmod(0o666 & ~umask())
            os.replace(draft, target)  # noqa: PTH105
    except OSError as error:
        raise UserError(f"{target}: {error.strerror or error}", exit_code=1) from None
