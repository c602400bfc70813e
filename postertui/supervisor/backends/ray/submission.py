"""What a client sends of a run that is to be trained on a cluster."""

from __future__ import annotations

from pathlib import Path

import msgspec

from postertui.runs import layout
from postertui.runs.code import read_code
from postertui.runs.spec import RunSpec, read_spec
from postertui.runs.transitions import append_under_lock
from postertui.supervisor.backends.ray import bundles
from postertui.supervisor.backends.ray.client_messages import SubmitRun
from postertui.supervisor.backends.ray.file_messages import BundleUnavailable
from postertui.supervisor.backends.ray.link import Link
from postertui.system.errors import UserError


def submission(
    run_folder: Path, *, priority: int, exclusive: bool, together: tuple[str, ...]
) -> SubmitRun | None:
    """The message that submits the run; None where its files cannot be read."""
    try:
        content = (run_folder / layout.SPEC).read_bytes()
        spec = msgspec.json.decode(content, type=RunSpec)
        code = dict(read_code(run_folder, spec.variant))
    except (OSError, msgspec.MsgspecError, UserError):
        return None
    return SubmitRun(
        run_folder.name,
        msgspec.Raw(content),
        priority,
        exclusive,
        has_data=Path(spec.data).is_dir(),
        code=code,
        together=together,
    )


def ended_as_untrusted(run_folder: Path, spec: RunSpec) -> bool:
    """Whether the user has not trusted the run's functions; it is ended before a cluster gets them.

    Raises `OSError`.
    """
    try:
        read_code(run_folder, spec.variant)
    except UserError as error:
        reason = str(error)
        append_under_lock(run_folder, lambda _: ("end", {"status": "failed", "reason": reason}))
        return True
    return False


def send_bundle(link: Link, run_folder: Path, bundle: str) -> None:
    """Send what the run needs from its data folder, or why that cannot be sent."""
    try:
        spec = read_spec(run_folder)
        for message, piece in bundles.pieces(bundle, bundles.bundle_files(spec)):
            link.send(message, piece)
    except (UserError, OSError) as error:
        link.send(BundleUnavailable(bundle, str(error)))
