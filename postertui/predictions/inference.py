"""Posters through trained models, in a subprocess: what it is asked, and what comes back.

This side starts `python -m postertui.training.inference` and knows nothing of TensorFlow. The
request goes in as JSON on standard input; JSON lines come out: progress, then the result. The
probabilities lie in a file beside, which takes no time to pass on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.data.dataset import Dataset
from postertui.data.weights import check_unchanged
from postertui.predictions.models import TrainedModel
from postertui.runs.code import read_code
from postertui.runs.spec import RunSpec
from postertui.runs.trained_weights import read_weights
from postertui.system.errors import UserError
from postertui.system.user_folders import temporary_root


class ModelRequest(msgspec.Struct, frozen=True):
    """What the subprocess needs of one model.

    Parameters
    ----------
    folder
        Its run's.
    side
        Of the images, in pixels.
    code
        The files of the user's functions where one of them is the network: their content, which was
        found to be trusted.
    """

    folder: str
    spec: RunSpec
    weights_digest: str
    side: int
    code: dict[str, bytes] = {}


class InferenceRequest(msgspec.Struct, frozen=True):
    """All that the subprocess needs to know.

    Parameters
    ----------
    output
        Where it saves the probabilities.
    details
        A table of the posters' details; empty for none.
    """

    models: tuple[ModelRequest, ...]
    images: tuple[str, ...]
    output: str
    details: str = ""


class InferenceMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the subprocess: progress, or at the end the images that it could not read.

    Parameters
    ----------
    unreadable
        From an image's place in the request to the reason.
    error
        For the user.
    """

    done: int = 0
    total: int = 0
    unreadable: dict[int, str] | None = None
    error: str | None = None


@dataclass(frozen=True)
class Inference:
    """`probabilities` is (models, images), NaN for an unreadable image; see `InferenceMessage`."""

    probabilities: NDArray[np.float32]
    unreadable: dict[int, str]


def model_request(model: TrainedModel, data: Path | None = None) -> ModelRequest:
    """What the subprocess that computes needs to know of a model.

    Weights and trust are checked here, for loading TensorFlow takes seconds.

    Parameters
    ----------
    data
        The model's data folder, if it has moved.

    Raises
    ------
    UserError
        Where the data folder cannot be read (the side of an image is not known then), the weights
        are damaged or another's, or the user has not trusted the network's file.
    """
    read_weights(model.folder, model.spec.digest, model.weights.digest)
    variant = model.spec.variant
    code = dict(read_code(model.folder, variant)) if variant.has_custom_network else {}
    if variant.backbone_name != "scratch":
        check_unchanged(model.spec.weights)
    folder = data or Path(model.spec.data)
    try:
        side = model.spec.variant.side or Dataset.open(folder).side
    except UserError as error:
        raise UserError(
            f"{model.run}: {error}; the data folder says which side its images have, name it with "
            "--data"
        ) from None
    return ModelRequest(str(model.folder), model.spec, model.weights.digest, side, code)


def run_inference(
    models: Sequence[ModelRequest],
    images: Sequence[Path],
    report_progress: Callable[[int, int], None] = lambda _done, _total: None,
    details: Path | None = None,
) -> Inference:
    """Take `images` through `models`.

    Parameters
    ----------
    report_progress
        Called with how many posters are through, and how many there are (each counts once per
        backbone).
    details
        A table of the posters' details, by the ids in the images' names.

    Raises
    ------
    UserError
        If a model cannot be used, or the subprocess fails (exit code 1).
    """
    with tempfile.TemporaryDirectory(prefix="postertui-", dir=temporary_root()) as folder:
        output = Path(folder) / "probabilities.npy"
        check_details_given(models, details)
        request = InferenceRequest(
            tuple(models), tuple(map(str, images)), str(output), str(details or "")
        )
        unreadable = _run_subprocess("postertui.training.inference", request, report_progress)
        return Inference(np.load(output, allow_pickle=False), unreadable)


def check_details_given(models: Sequence[ModelRequest], details: Path | None) -> None:
    """Raise `UserError` where a model takes details and there are none."""
    taking = [model for model in models if model.spec.variant.inputs != "poster"]
    if taking and details is None:
        raise UserError(
            f"{Path(taking[0].folder).name}: takes details of the posters; name a table of them "
            "with --details"
        )


def run_job(module: str, request: msgspec.Struct) -> None:
    """Run a module of `postertui.training` on a request. Raises `UserError` as `run_inference`."""
    _run_subprocess(module, request, lambda _done, _total: None)


def _run_subprocess(
    module: str, request: msgspec.Struct, report_progress: Callable[[int, int], None]
) -> dict[int, str]:
    decode = msgspec.json.Decoder(InferenceMessage).decode
    environment = {"POSTERTUI_THREADS": str(len(os.sched_getaffinity(0))), **os.environ}
    with tempfile.TemporaryFile(dir=temporary_root()) as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        message = InferenceMessage()
        try:
            with process.stdin as stdin:
                stdin.write(msgspec.json.encode(request))
            for line in process.stdout:
                message = decode(line)
                if message.total:
                    report_progress(message.done, message.total)
        except BrokenPipeError:
            pass  # it ended before it had read the request; its log says why
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        if message.error is not None:
            raise UserError(message.error)
        if message.unreadable is None:
            log.seek(0)
            _fail(process.returncode, log.read().decode("utf-8", "replace"))
        return message.unreadable or {}


def _fail(code: int, log: str) -> None:
    """Raise an exception that carries the subprocess's traceback to the log of errors."""
    lines = [line for line in log.splitlines() if line.strip()] or [f"exit code {code}"]
    if "ModuleNotFoundError: No module named 'tensorflow'" in log or "'keras'" in lines[-1]:
        raise UserError("TensorFlow is not installed: python -m pip install 'postertui[train]'")
    error = RuntimeError(f"the subprocess with the models failed: {lines[-1]}")
    error.add_note(log)
    raise error
