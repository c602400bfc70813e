"""Compiled functions kept from process to process, in the user's cache folder.

XLA compiles each shape of a network for a second or two, in every job again. TensorFlow and JAX can
keep what they compiled; this module says where, for whom, and how much.

Entries hold machine code, so a folder is used only where no other user can write to it, and one
folder serves one processor, one set of versions and one number of threads. TensorFlow writes an
entry by rename, but without synchronising it: after a power failure it could hold anything. So an
entry is *sealed* with its checksum once it has been written, and a process that starts removes
those without a right seal. JAX' entries have checksums of their own.

TensorFlow fails a training for a cache that it cannot read or write. It is therefore given the
folder as an open descriptor, which `abandon` points at another, empty folder; what failed is then
called again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import zlib
from importlib import metadata
from pathlib import Path

from postertui.system.atomic_files import sync, write_atomic
from postertui.system.held_folders import make_held_folder, remove_abandoned_folders
from postertui.system.user_folders import has_own_folder, user_folder

#: `off`, or a folder in place of the one in the user's cache.
VARIABLE = "POSTERTUI_COMPILE_CACHE"

#: The most recently used entries are kept, up to this many bytes; about half a megabyte a shape.
MAX_BYTES = 256 << 20

#: With less room than this on its disk there is no cache.
MIN_FREE_BYTES = 128 << 20

_ENTRY, _SEAL = ".pb", ".crc32"

#: Where a process that gives the cache up makes one for itself, and how its name begins. It is held
#: as long as the process lives, which has no end at which it could be removed.
_IN_MEMORY, _REPLACEMENT = Path("/dev/shm"), "postertui-compiled-"

_folder: Path | None = None
_descriptor: int | None = None


def enable(threads: int) -> None:
    """Have TensorFlow or JAX, neither of which is imported yet, use the cache.

    Where there can be none, everything is compiled again as it always was.
    """
    global _folder, _descriptor
    given = os.environ.get(VARIABLE, "")
    if given == "off" or _folder is not None:
        return
    if not given and not has_own_folder("CACHE"):
        # The cache would lie in the runs folder, which may have come with machine code in it.
        return
    root = Path(given) if given else user_folder("CACHE") / "postertui" / "compiled"
    folder = root / cache_key(threads)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_private(folder) or shutil.disk_usage(folder).free < MIN_FREE_BYTES:
            return
        remove_unsealed(folder)
        prune(root, MAX_BYTES)
        if os.environ.get("KERAS_BACKEND") == "jax":
            os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
            os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
            return
        flags = os.environ.get("TF_XLA_FLAGS", "")
        if "persistent_cache" not in flags:
            descriptor = os.open(folder, os.O_DIRECTORY | os.O_RDONLY)
            # Of GPUs, driver and model would belong to the key as well.
            os.environ["TF_XLA_FLAGS"] = (
                f"{flags} --tf_xla_persistent_cache_directory=/proc/self/fd/{descriptor}"
                " --tf_xla_persistent_cache_device_types=CPU"
            ).strip()
            _folder, _descriptor = folder, descriptor
    except OSError:
        return


def seal() -> None:
    """Seal what this or another process has added since; to be called between runs."""
    if _folder is not None:
        with contextlib.suppress(OSError):
            for entry in _folder.glob(f"*{_ENTRY}"):
                if not seal_of(entry).exists():
                    sync(entry)
                    write_atomic(seal_of(entry), checksum(entry), durable=False)


def abandon() -> bool:
    """Go on with an empty cache of this process's own; False where that has no point.

    For a call of a compiled function that failed: called again, it neither reads nor writes what
    the failure may have come from.
    """
    global _folder
    if _folder is None or _descriptor is None:
        return False
    _folder = None
    parent = _IN_MEMORY if _IN_MEMORY.is_dir() else Path(tempfile.gettempdir())
    try:
        remove_abandoned_folders(parent, _REPLACEMENT)
        _, replacement = make_held_folder(parent, _REPLACEMENT)
    except OSError:
        return False
    os.dup2(replacement, _descriptor, inheritable=False)
    os.close(replacement)
    return True


def cache_key(threads: int) -> str:
    """A name for all that compiled code depends on beside the function itself."""
    parts = [os.uname().machine, str(threads)]
    parts += [os.environ.get(name, "") for name in ("XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS")]
    parts += [f"{name} {_version(name)}" for name in ("tensorflow", "jaxlib", "keras")]
    with contextlib.suppress(OSError):
        processor = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
        kinds = (
            "vendor_id",
            "model name",
            "cpu family",
            "model\t",
            "stepping",
            "flags",
            "Features",
        )
        parts += sorted(line for line in processor.splitlines() if line.startswith(kinds))
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


def is_private(folder: Path) -> bool:
    """Whether only this user can write to the folder."""
    status = folder.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def remove_unsealed(folder: Path) -> None:
    """Remove the entries that have no seal or the wrong one."""
    for entry in folder.glob(f"*{_ENTRY}"):
        with contextlib.suppress(FileNotFoundError):  # another process removes them too
            if not (seal_of(entry).exists() and seal_of(entry).read_bytes() == checksum(entry)):
                entry.unlink()
                seal_of(entry).unlink(missing_ok=True)


def prune(root: Path, max_bytes: int) -> None:
    """Remove the files that were used longest ago until `max_bytes` are left."""
    files = []
    for path in root.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                files.append((max(status.st_atime, status.st_mtime), status.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= max_bytes:
            break
        path.unlink(missing_ok=True)
        total -= size


def seal_of(entry: Path) -> Path:
    """The file that holds the entry's checksum."""
    return entry.with_suffix(_SEAL)


def checksum(path: Path) -> bytes:
    """Size and CRC-32 of a file's content."""
    data = path.read_bytes()
    return b"%d %08x\n" % (len(data), zlib.crc32(data))


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
