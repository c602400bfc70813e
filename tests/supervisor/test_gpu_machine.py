"""The device that is said is the device that is used, on machines with made-up drivers.

The driver is a made-up `pynvml` that every process finds first; the framework is the real one,
which sees no GPU here, or a trainer that says what it sees.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from postertui.supervisor import requests
from postertui.supervisor.backends.devices import choose_devices
from postertui.system.errors import UserError
from postertui.system.gpus import Gpu, GpuInventory
from postertui.training.accelerators import FrameworkReport, device_in_use, find_complaint
from tests.support.supervisor import (
    ROOT,
    cheap_environment,
    events_of,
    make_spec,
    queue,
    read,
    states,
    train_all,
)

ONE = GpuInventory((Gpu(0, "GPU-0", "H100"),), "550.54")
NONE = GpuInventory()
MISMATCH = GpuInventory(problem="the driver and its libraries have different versions")
SEES = FrameworkReport(framework="TensorFlow 2.21", accelerators=("/GPU:0",))
BLIND = FrameworkReport(framework="TensorFlow 2.21", accelerators=(), reason="built without CUDA")
UNKNOWN = FrameworkReport(framework="cheap")

CHOICES = {
    # request, CUDA_VISIBLE_DEVICES, NVML, framework: devices, or words of the error, and warning
    "no GPU, none asked for": (None, None, NONE, None, [], ""),
    "a GPU that works": (None, None, ONE, SEES, ["gpu:0"], ""),
    "a GPU that works, asked for": ("gpu", None, ONE, SEES, ["gpu:0"], ""),
    "a trainer that does not say": (None, None, ONE, UNKNOWN, ["gpu:0"], ""),
    "a GPU that the framework cannot use": (None, None, ONE, BLIND, [], "built without CUDA"),
    "a driver that does not work": (None, None, MISMATCH, None, [], "different versions"),
    "--device cpu means it": ("cpu", "0", MISMATCH, None, [], ""),
    "hidden on purpose": (None, "-1", ONE, None, [], ""),
    "the list ends early": (None, "0,3", ONE, SEES, ["gpu:0"], "ends before 3"),
    "auto takes what there is": ("auto", None, ONE, BLIND, [], "built without CUDA"),
}

REFUSALS = {
    "asked for, none there": ("gpu", None, NONE, None, "a GPU was asked for"),
    "asked for, hidden": ("gpu", "", ONE, None, "CUDA_VISIBLE_DEVICES= hides all"),
    "asked for, the framework is blind": ("gpu", None, ONE, BLIND, "built without CUDA"),
    "by the variable, no such index": (None, "3", ONE, None, "there is no GPU 3"),
    "by the variable, none there": (None, "0", NONE, None, "no GPU that the"),
    "by the variable, a driver that does not work": (None, "0", MISMATCH, None, "versions"),
    "by the variable, the framework is blind": (None, "0", ONE, BLIND, "does not see it"),
    "by the variable, twice": (None, "0,0", ONE, None, "twice"),
}


@pytest.mark.parametrize(
    ("request_", "visible", "inventory", "framework", "devices", "warning"),
    CHOICES.values(),
    ids=CHOICES.keys(),
)
def test_devices_are_those_that_can_be_used(
    request_: object,
    visible: str | None,
    inventory: GpuInventory,
    framework: FrameworkReport | None,
    devices: list[str],
    warning: str,
) -> None:
    choice = choose_devices(request_, visible, inventory, framework)  # type: ignore[arg-type]
    assert list(choice.devices) == devices
    assert warning in "; ".join(choice.warnings)
    assert bool(warning) == bool(choice.warnings)


@pytest.mark.parametrize(
    ("request_", "visible", "inventory", "framework", "words"),
    REFUSALS.values(),
    ids=REFUSALS.keys(),
)
def test_gpu_asked_for_by_name_that_cannot_be_used_is_an_error(
    request_: object,
    visible: str | None,
    inventory: GpuInventory,
    framework: FrameworkReport | None,
    words: str,
) -> None:
    with pytest.raises(UserError) as caught:
        choose_devices(request_, visible, inventory, framework)  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert str(caught.value).endswith("--device cpu goes on")


def test_device_in_use_is_what_the_framework_reports() -> None:
    assert device_in_use("gpu:3", ("/GPU:0",)) == "gpu:3"
    assert device_in_use("gpu:3", ()) == "cpu"
    assert device_in_use("gpu:3", None) == "gpu:3"
    assert device_in_use("cpu", ()) == "cpu"
    assert device_in_use("cpu", ("TPU_0",)) == "TPU_0 (not hidden)"


def test_the_framework_s_own_reason_is_found() -> None:
    printed = "I0000 port.cc] oneDNN\nW0000 gpu_device.cc] Cannot dlopen some GPU libraries. Please"
    assert find_complaint(printed) == "it cannot load some of CUDA's libraries"
    assert find_complaint("failed call to cuInit: CUDA_ERROR_NO_DEVICE") == (
        "CUDA cannot start: CUDA_ERROR_NO_DEVICE"
    )
    assert find_complaint("nothing of interest") == ""


NVML = """
def nvmlInit(): pass
def nvmlShutdown(): pass
def nvmlDeviceGetCount(): return 1
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlDeviceGetName(handle): return "H100"
"""

TRAINER = """
import os
from tests.support.cheap_trainer import CheapTrainer

class SeesNothing(CheapTrainer):
    def accelerators(self):
        return ()

class SeesInTheProbeOnly(CheapTrainer):
    def accelerators(self):
        return () if "POSTERTUI_DEVICE" in os.environ else ("/GPU:0",)

class SeesOne(CheapTrainer):
    def accelerators(self):
        return ("/GPU:0",) if os.environ["CUDA_VISIBLE_DEVICES"] == "0" else ()
"""


@pytest.fixture
def gpu_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """From now on, every process started from here finds one GPU by NVML."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "pynvml.py").write_text(NVML)
    (modules / "seeing.py").write_text(TRAINER)
    monkeypatch.setenv("PYTHONPATH", f"{modules}{os.pathsep}{ROOT}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.syspath_prepend(str(modules))
    return modules


def start_of(folder: Path, run: str) -> dict[str, object]:
    return next(event for event in events_of(folder, run) if event["event"] == "start")


@pytest.mark.usefixtures("gpu_machine")
def test_the_start_tells_the_device_that_the_framework_reports(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("POSTERTUI_TRAINER", "seeing:SeesOne")
    [run] = queue(folder, make_spec(epochs=1))
    train_all(folder)
    assert states(folder) == {run: "done"}
    start = start_of(folder, run)
    assert start["device"] == "gpu:0"
    assert "assigned" not in start


@pytest.mark.usefixtures("gpu_machine")
def test_a_job_that_loses_its_gpu_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTERTUI_TRAINER", "seeing:SeesInTheProbeOnly")
    [run] = queue(folder, make_spec(epochs=1))
    train_all(folder)
    start = start_of(folder, run)
    assert (start["device"], start["assigned"]) == ("cpu", "gpu:0")
    assert "gpu:0 was assigned" in (folder / run / "log.txt").read_text()
    # Asked for by name, the run fails instead of going on elsewhere.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    [other] = queue(folder, make_spec(seed=1, epochs=1))
    train_all(folder)
    assert states(folder)[other] == "failed"
    assert "gpu:0 was asked for, but training would be on cpu" in (read(folder)[other].reason or "")


@pytest.mark.usefixtures("gpu_machine")
def test_gpu_that_is_not_used_is_a_warning_of_the_supervisor(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTERTUI_TRAINER", "seeing:SeesNothing")
    monkeypatch.setenv("CHEAP_SECONDS", "0.05")
    [run] = queue(folder, make_spec(epochs=400))
    requests.ensure_supervisor(folder, jobs=1)
    try:
        warning = requests.status(folder).warning
        assert warning is None or "gpu:0 H100: not used, jobs train on the CPU" in warning
        from tests.support.supervisor import wait_for

        wait_for(lambda: requests.status(folder).warning, "the warning")
        assert "SeesNothing does not see it" in (requests.status(folder).warning or "")
        wait_for(lambda: states(folder)[run] == "running")
        assert start_of(folder, run)["device"] == "cpu"
        # The framework is not asked again as long as nothing has changed.
        assert (folder / ".devices.json").is_file()
    finally:
        assert requests.stop_supervisor(folder, patience=60)


@pytest.mark.slow
@pytest.mark.usefixtures("gpu_machine")
def test_real_framework_that_sees_no_gpu_is_an_error_where_one_was_asked_for(
    tmp_path: Path,
) -> None:
    pytest.importorskip("tensorflow")
    environment = cheap_environment(CUDA_VISIBLE_DEVICES="0")
    del environment["POSTERTUI_TRAINER"]
    doctor = [sys.executable, "-m", "postertui", "doctor", "--runs", str(tmp_path / "runs")]

    def printed(**more: str) -> str:
        result = subprocess.run(
            doctor, env=environment | more, capture_output=True, text=True, check=False
        )
        return result.stdout

    text = printed()
    assert "CUDA_VISIBLE_DEVICES=0 was asked for and cannot be used: TensorFlow" in text
    assert "does not see it: " in text
    assert "hides gpu:0" in printed(CUDA_VISIBLE_DEVICES="")
