"""What NVML lists, and what CUDA_VISIBLE_DEVICES leaves of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from postertui.system.gpus import Gpu, hides_all, read_gpus, resolve_visible_devices

TWO = (Gpu(0, "GPU-1a2b-0", "H100"), Gpu(1, "GPU-9f00-1", "H100"))
DIVIDED = (Gpu(0, "GPU-1a2b-0", parts=("MIG-aa-1", "MIG-ab-2")), Gpu(1, "GPU-9f00-1"))

VISIBLE = {
    "unset: all": (None, TWO, ["gpu:0", "gpu:1"], ""),
    "one": ("1", TWO, ["gpu:1"], ""),
    "in its own order": ("1,0", TWO, ["gpu:1", "gpu:0"], ""),
    "empty: none": ("", TWO, [], ""),
    "-1: none": ("-1", TWO, [], ""),
    "the list ends at -1": ("0,-1,1", TWO, ["gpu:0"], ""),
    "the list ends at the first invalid entry": ("0,7,1", TWO, ["gpu:0"], "ends before 7, 1"),
    "no such index": ("7", TWO, [], "there is no GPU 7, there are GPUs 0 to 1"),
    "no such index of one": ("1", TWO[:1], [], "there is no GPU 1, there is only GPU 0"),
    "a UUID by its prefix": ("GPU-9f", TWO, ["gpu:1"], ""),
    "a prefix of two": ("GPU-", TWO, [], "more than one"),
    "a part by its prefix": ("MIG-ab", DIVIDED, ["gpu:MIG-ab-2"], ""),
    "an index of a divided device is its first part": ("0", DIVIDED, ["gpu:MIG-aa-1"], ""),
    "unset, divided": (None, DIVIDED, ["gpu:MIG-aa-1", "gpu:MIG-ab-2", "gpu:1"], ""),
    "named twice: none": ("0,0", TWO, [], "names gpu:0 twice"),
    "named twice, once by UUID": ("0,GPU-1a", TWO, [], "names gpu:0 twice"),
    "blanks": (" 0 , 1 ", TWO, ["gpu:0", "gpu:1"], ""),
    "nonsense": ("all", TWO, [], "'all' is neither a number nor a UUID"),
    "no device at all": ("0", (), [], "no GPU that the driver lists"),
}


@pytest.mark.parametrize(
    ("value", "gpus", "devices", "words"), VISIBLE.values(), ids=VISIBLE.keys()
)
def test_cuda_visible_devices_means_what_cuda_means_by_it(
    value: str | None, gpus: tuple[Gpu, ...], devices: list[str], words: str
) -> None:
    visible = resolve_visible_devices(value, gpus)
    assert list(visible.devices) == devices
    assert words in visible.note + visible.error
    assert bool(words) == bool(visible.note or visible.error)
    assert bool(visible.error) <= (not devices)
    names = {name for gpu in gpus for name in resolve_visible_devices(None, (gpu,)).devices}
    assert set(visible.devices) | set(visible.hidden) == names


def test_what_hides_all_on_purpose() -> None:
    assert all(map(hides_all, ["", "-1", "-1,0", " "]))
    assert not any(map(hides_all, [None, "0", "GPU-1", "7"]))


class FakeNvml:
    """pynvml with two devices, or with an error of the driver."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def nvmlInit(self) -> None:  # noqa: N802
        if self.error:
            raise self.error

    def nvmlShutdown(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlSystemGetDriverVersion(self) -> bytes:  # noqa: N802
        return b"550.54"

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetName(self, handle: int) -> str:  # noqa: N802
        return f"H{handle}00"

    def nvmlDeviceGetUUID(self, handle: int) -> str:  # noqa: N802
        return f"GPU-{handle}"


def test_what_the_driver_does_not_tell_is_left_out() -> None:
    inventory = read_gpus(FakeNvml())
    assert (inventory.driver, inventory.problem) == ("550.54", "")
    assert [gpu.describe() for gpu in inventory.gpus] == ["gpu:0 H000", "gpu:1 H100"]
    assert [gpu.uuid for gpu in inventory.gpus] == ["GPU-0", "GPU-1"]


PROBLEMS: dict[str, tuple[Exception, bool, str]] = {
    "no driver": (RuntimeError("NVML Shared Library Not Found"), False, ""),
    "a container without the libraries": (
        RuntimeError("NVML Shared Library Not Found"),
        True,
        "a container needs `--gpus all`",
    ),
    "an update without a restart": (
        RuntimeError("Driver/library version mismatch"),
        True,
        "different versions: reboot",
    ),
    "no permission": (RuntimeError("Insufficient Permissions"), True, "may not use /dev/nvidia*"),
    "anything else": (RuntimeError("Unknown Error"), True, "NVML: Unknown Error"),
}


@pytest.mark.parametrize(("error", "has_driver", "words"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_why_gpus_cannot_be_used(
    tmp_path: Path, error: Exception, has_driver: bool, words: str
) -> None:
    if has_driver:
        (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
        (tmp_path / "proc/driver/nvidia/version").touch()
    inventory: Any = read_gpus(FakeNvml(error), tmp_path)
    assert inventory.gpus == ()
    assert words in inventory.problem
    assert bool(words) == bool(inventory.problem)
