"""Whether a logout ends training, from made-up settings of systemd."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postertui.system.sessions import kills_user_processes, logout_advice, user_manager_command
from postertui.system.sharing import user_name

USER = user_name(os.getuid())

SETTINGS = {
    "no systemd": (False, {"etc/systemd/logind.conf": "KillUserProcesses=yes"}, False),
    "the default": (True, {}, False),
    "set": (True, {"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\n"}, True),
    "commented out": (True, {"etc/systemd/logind.conf": "#KillUserProcesses=yes\n"}, False),
    "a later file wins": (
        True,
        {
            "etc/systemd/logind.conf": "KillUserProcesses=yes\n",
            "etc/systemd/logind.conf.d/50-lab.conf": "KillUserProcesses = no\n",
        },
        False,
    ),
    "the distribution sets it": (
        True,
        {"usr/lib/systemd/logind.conf.d/10-kill.conf": "KillUserProcesses=yes\n"},
        True,
    ),
    "etc masks the distribution's file": (
        True,
        {
            "usr/lib/systemd/logind.conf.d/10-kill.conf": "KillUserProcesses=yes\n",
            "etc/systemd/logind.conf.d/10-kill.conf": "\n",
        },
        False,
    ),
}


def make_root(root: Path, systemd: bool, files: dict[str, str]) -> None:
    if systemd:
        (root / "run/systemd/system").mkdir(parents=True)
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


@pytest.mark.parametrize(("systemd", "files", "kills"), SETTINGS.values(), ids=SETTINGS.keys())
def test_kill_user_processes(
    tmp_path: Path, systemd: bool, files: dict[str, str], kills: bool
) -> None:
    make_root(tmp_path, systemd, files)
    assert kills_user_processes(tmp_path) is kills
    assert logout_advice(tmp_path) == (f"loginctl enable-linger {USER}" if kills else None)


def test_with_lingering_the_user_s_manager_is_used(tmp_path: Path) -> None:
    root, runtime, programs = tmp_path / "root", tmp_path / "run", tmp_path / "bin"
    make_root(root, True, {"etc/systemd/logind.conf": "KillUserProcesses=yes\n"})
    programs.mkdir()
    program = programs / "systemd-run"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    environment = {"PATH": str(programs), "XDG_RUNTIME_DIR": str(runtime)}
    assert user_manager_command(environment, root) == []
    make_root(root, False, {f"var/lib/systemd/linger/{USER}": ""})
    assert logout_advice(root) is None
    assert user_manager_command(environment, root) == []  # it does not run
    (runtime / "systemd").mkdir(parents=True)
    (runtime / "systemd/private").touch()
    command = user_manager_command(environment, root)
    assert command[:3] == [str(program), "--user", "--scope"]
    assert user_manager_command({"PATH": os.environ["PATH"]}, root) == []
