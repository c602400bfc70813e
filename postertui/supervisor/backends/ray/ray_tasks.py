"""What Ray runs on a node.

TensorFlow is never imported into Ray's own processes: training is done by an agent that is started.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import msgspec

from postertui.supervisor.backends.ray.node_facts import cache_home, collect_node_facts
from postertui.system.processes import child_environment

#: Seconds for an agent to stop its job once its task is cancelled.
PATIENCE = 15.0


def describe_node() -> bytes:
    """This node's `NodeFacts` as JSON."""
    import ray

    # Some versions of Ray hide all devices from a task that asks for none.
    if not os.environ.get("CUDA_VISIBLE_DEVICES"):
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    return msgspec.json.encode(collect_node_facts(ray.get_runtime_context().get_node_id()))


def run_agent(
    host: str, port: int, key: str, task: str, study: str, exclusive: bool, gpu: bool
) -> None:
    """Run an agent on this node until it has nothing to do.

    The agent reads from a pipe that closes with this process, however it ends; so neither the agent
    nor its job outlives the task by more than some seconds. Raises `RuntimeError` where it failed.
    """
    import ray

    config = {
        "host": host,
        "port": port,
        "key": key,
        "task": task,
        "node": ray.get_runtime_context().get_node_id(),
        "study": study,
        "home": str(cache_home()),
        "exclusive": exclusive,
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
