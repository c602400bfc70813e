"""Functions of the user's own on a cluster: nodes get the file, and what is trusted, from here."""

from __future__ import annotations

from pathlib import Path

import pytest

from postertui.runs.spec import write_spec
from postertui.study import CodeFile, Variant
from postertui.system.trusted_files import trust
from tests.support.custom_code import source_of
from tests.support.ray_scene import Scene
from tests.support.supervisor import events_of, make_spec

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

SOURCE = source_of("def loss(y, p, present, variant):\n    return p\n")
VARIANT = Variant(name="x", epochs=3, loss="mine.loss", code=(CodeFile("mine", SOURCE.sha256),))


def test_a_trusted_file_reaches_the_node_and_an_untrusted_one_does_not(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # which no node knows
    specs = [make_spec(genre, variant=VARIANT) for genre in ("Trusted", "Other")]
    other = source_of("raise SystemExit")
    specs[1] = make_spec(
        "Other",
        variant=Variant(name="x", loss="mine.loss", code=(CodeFile("mine", other.sha256),)),
    )
    for spec in specs:
        write_spec(scene.folder, spec, {s.sha256: s.data for s in (SOURCE, other)})
    trust([(SOURCE.sha256, Path("mine.py"))])
    scene.go()
    names = [spec.run for spec in specs]
    scene.wait_until_closed(names)
    assert scene.states(names[:1]) == {"done"}
    log = (scene.folder / names[0] / "log.txt").read_text()
    assert f"code mine: {SOURCE.data!r}" in log
    [end] = events_of(scene.folder, names[1])
    assert end["status"] == "failed"
    assert "you have not trusted the run's own code" in end["reason"]
    scene.wait_until_over()
