"""What Ray runs on a node. TensorFlow never gets into Ray's own processes: an agent is started."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import msgspec

from postertui.supervisor.backends.ray.facts import home, node_facts
from postertui.system.processes import child_environment

#: Seconds that an agent may take to stop its job once its task is cancelled.
PATIENCE = 15.0


def describe() -> bytes:
    """This node's `NodeFacts` as JSON."""
    import ray

    # Some versions of Ray hide all devices from a task that asks for none.
    if not os.environ.get("CUDA_VISIBLE_DEVICES"):
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    return msgspec.json.encode(node_facts(ray.get_runtime_context().get_node_id()))


def work(host: str, port: int, key: str, task: str, study: str, alone: bool, gpu: bool) -> None:
    """Have an agent work on this node until it has nothing to do.

    The agent reads from a pipe that ends with this process, however that ends; so it, and its
    job, never outlive the task by more than some seconds. Raises `RuntimeError` where it failed.
    """
    import ray

    config = {
        "host": host,
        "port": port,
        "key": key,
        "task": task,
        "node": ray.get_runtime_context().get_node_id(),
        "study": study,
        "home": str(home()),
        "alone": alone,
    }
    environment = child_environment()
    if not gpu:
        environment["CUDA_VISIBLE_DEVICES"] = "-1"
    agent = subprocess.Popen(
        [sys.executable, "-P", "-m", "postertui.supervisor.backends.ray.agent"],
        stdin=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    assert agent.stdin is not None
    try:
        with contextlib.suppress(OSError):
            agent.stdin.write(msgspec.json.encode(config) + b"\n")
            agent.stdin.flush()
        code = agent.wait()
    finally:
        with contextlib.suppress(OSError):
            agent.stdin.close()
        try:
            agent.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            agent.kill()
            agent.wait()
    if code:
        raise RuntimeError(f"the agent on this node ended with exit code {code}")
