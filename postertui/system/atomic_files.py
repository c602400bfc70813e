"""Files that are replaced as a whole: a reader sees the old content or the new, never a part."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from postertui.system.sharing import adopt_mode

#: What a draft's name begins with; readers of folders ignore it.
DRAFT_PREFIX = ".new-"


@contextmanager
def atomic_writer(path: Path, *, private: bool = True) -> Iterator[Path]:
    """A file to write that takes the place of `path` when the block ends well.

    Parameters
    ----------
    private
        Whether a new file is for the user alone, or its folder's group; otherwise it is as the
        umask says. One that replaces another has that one's mode.

    Raises
    ------
    OSError
        Where it cannot be written; `path` is then as before.
    """
    fd, name = tempfile.mkstemp(prefix=DRAFT_PREFIX, dir=path.parent)
    os.close(fd)
    draft = Path(name)
    try:
        yield draft
        if path.exists():
            draft.chmod(path.stat().st_mode & 0o777)
        elif not private:
            draft.chmod(0o666 & ~umask())
        else:
            adopt_mode(draft)
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


def write_atomic(
    path: Path, data: bytes | bytearray, *, private: bool = True, durable: bool = False
) -> None:
    """Write `data` to `path`, whole or not at all.

    Parameters
    ----------
    private
        As for `atomic_writer`.
    durable
        Whether it is on the disk when this returns.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    with atomic_writer(path, private=private) as draft, draft.open("wb") as file:
        file.write(data)
        file.flush()
        if durable:
            os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Bring a file, or a folder's list of names, to the disk. Raises `OSError`."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
