"""Whether the login manager kills a user's processes at logout, and how to start what survives.

systemd-logind ends all processes of a session when it closes if `KillUserProcesses=yes`, as some
distributions set it; no way of detaching helps. With lingering, the user's own systemd manager
outlives the session, and what is started under it does too (logind.conf(5), loginctl(1)).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from postertui.system.sharing import user_name

_SETTING = re.compile(r"^\s*KillUserProcesses\s*=\s*(\S+)", re.MULTILINE)


def kills_user_processes(root: Path = Path("/")) -> bool:
    """Whether logind is set to end a session's processes. Later files win, as for systemd."""
    if not (root / "run/systemd/system").is_dir():
        return False
    value = "no"
    names: dict[str, Path] = {}
    for folder in ("usr/lib", "etc"):
        for path in sorted((root / folder / "systemd/logind.conf.d").glob("*.conf")):
            names[path.name] = path
    ordered = [names[name] for name in sorted(names)]
    for path in (root / "etc/systemd/logind.conf", *ordered):
        try:
            settings = _SETTING.findall(path.read_text(errors="replace"))
        except OSError:
            continue
        value = settings[-1] if settings else value
    return value.lower() in ("yes", "true", "on", "1")


def lingers(user: str, root: Path = Path("/")) -> bool:
    """Whether the user's manager outlives the sessions."""
    return (root / "var/lib/systemd/linger" / user).exists()


def user_manager_command(
    environment: Mapping[str, str] = os.environ, root: Path = Path("/")
) -> list[str]:
    """What to put before a command so that it survives the logout.

    Parameters
    ----------
    root
        Where the settings of logind are looked for.

    Returns
    -------
    list of str
        Empty but where logind would kill it and the user's manager runs and lingers: that starts
        it then.
    """
    runtime = environment.get("XDG_RUNTIME_DIR")
    program = shutil.which("systemd-run", path=environment.get("PATH"))
    if runtime is None or program is None or not kills_user_processes(root):
        return []
    if (
        not lingers(user_name(os.getuid()), root)
        or not (Path(runtime) / "systemd/private").exists()
    ):
        return []
    return [program, "--user", "--scope", "--quiet", "--collect", "--"]


def logout_advice(root: Path = Path("/")) -> str | None:
    """The command that lets training survive a logout; None where it does anyway."""
    if not kills_user_processes(root) or lingers(user_name(os.getuid()), root):
        return None
    return f"loginctl enable-linger {user_name(os.getuid())}"
