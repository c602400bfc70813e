"""`ray`, `ray:HOST` or `ray:HOST:PORT`: where a cluster is, and the token that opens it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from postertui.system.errors import UserError
from postertui.system.user_folders import home_folder

#: The default port of Ray's Jobs API.
PORT = 8265

_HOST = re.compile(r"[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]")


class Address(NamedTuple):
    """The Jobs API of a cluster."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def text(self) -> str:
        """The address as `--on` takes it."""
        return f"ray:{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine, or the end of a tunnel."""
        return self.host in ("localhost", "127.0.0.1", "[::1]")


def parse_address(on: str) -> Address:
    """The address that `--on` names; without a host, the one Ray itself would use.

    Raises `UserError` where what follows `ray` is no address.
    """
    _, _, rest = on.partition(":")
    if not rest:
        return _address_from_environment()
    if "://" in rest:
        parts = urlsplit(rest)
        rest = parts.netloc
    host, _, port = rest.rpartition(":") if re.search(r":\d+$", rest) else (rest, "", "")
    if not _HOST.fullmatch(host) or (port and not 0 < int(port) < 65536):
        raise UserError(f"--on {on}: no host, or not a port; write ray:HOST or ray:HOST:PORT")
    return Address(host, int(port or PORT))


def _address_from_environment() -> Address:
    """RAY_API_SERVER_ADDRESS or RAY_ADDRESS as the `ray job` commands read them, or this host."""
    for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        value = os.environ.get(name, "")
        if value.startswith("http://"):
            parts = urlsplit(value)
            return Address(parts.hostname or "127.0.0.1", parts.port or PORT)
        if host := re.fullmatch(r"(?:ray://)?([A-Za-z0-9_.-]+):\d+", value):
            return Address(host[1], PORT)
    return Address("127.0.0.1", PORT)


def read_token() -> str:
    """The cluster's token, from where Ray reads it too. Raises `UserError` where there is none."""
    token = os.environ.get("RAY_AUTH_TOKEN", "").strip()
    path = Path(
        os.environ.get("RAY_AUTH_TOKEN_PATH")
        or (home_folder() or Path("/")) / ".ray" / "auth_token"
    )
    if not token:
        try:
            token = path.read_text().strip()
        except (OSError, UnicodeDecodeError):
            token = ""
    if not token:
        raise UserError(
            f"no token for Ray: neither RAY_AUTH_TOKEN nor {path}; copy the head's "
            "~/.ray/auth_token (`ray get-auth-token --generate` makes one there)"
        )
    return token
