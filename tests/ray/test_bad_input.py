"""What can be wrong with a cluster: one clear line each, and nothing is queued."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from postertui.cli import cli
from postertui.study import load_study
from postertui.supervisor.backends.clusters import open_cluster
from postertui.supervisor.backends.ray import checks, node_facts
from postertui.supervisor.backends.ray.address import Address, parse_address, read_token
from postertui.supervisor.backends.ray.agent_messages import NodeFacts
from postertui.supervisor.backends.ray.checks import find_problems
from postertui.supervisor.backends.ray.gpu_shares import GpuShares, share_for_usage
from postertui.supervisor.backends.ray.jobs_api import check_cluster
from postertui.system.errors import UserError
from tests.support.poster_data import make_data
from tests.support.ray_cluster import free_port

TOKEN = "0123456789abcdef"


class FakeRay(HTTPServer):
    """Answers `/api/version` as Ray does: 401 without the token, unless it asks for none."""

    token: str | None = TOKEN
    version = node_facts.relevant_versions().get("ray")

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.server_port)


class Answer(BaseHTTPRequestHandler):
    server: FakeRay

    def do_GET(self) -> None:
        token = self.server.token
        allowed = token is None or self.headers.get("Authorization") == f"Bearer {token}"
        self.send_response(200 if allowed else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"ray_version": self.server.version}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRay]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    server = FakeRay(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def refusal(address: Address) -> str:
    with pytest.raises(UserError) as caught:
        check_cluster(address)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_cluster_as_it_should_be(ray: FakeRay) -> None:
    check_cluster(ray.address)


def test_no_ray_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert refusal(Address("127.0.0.1", 1)) == "--on ray needs Ray: pip install 'postertui[ray]'"


@pytest.mark.usefixtures("ray")
def test_no_cluster_at_the_address() -> None:
    port = free_port()
    message = refusal(Address("127.0.0.1", port))
    assert message.startswith(f"http://127.0.0.1:{port}: no Ray cluster answers there; ")


def test_no_token(ray: FakeRay, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    message = refusal(ray.address)
    assert message.startswith("no token for Ray: neither RAY_AUTH_TOKEN nor ")
    (tmp_path / "none").write_text(f"{TOKEN}\n")
    assert read_token() == TOKEN


def test_another_token(ray: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "f" * 16)
    assert "another token than this machine" in refusal(ray.address)


def test_a_cluster_without_tokens_is_not_used(ray: FakeRay) -> None:
    ray.token = None
    assert "asks for no token; start it with RAY_AUTH_MODE=token" in refusal(ray.address)


def test_another_ray(ray: FakeRay) -> None:
    ray.version = "2.1.0"
    assert "the cluster has Ray 2.1.0, this machine Ray" in refusal(ray.address)


def test_nothing_is_queued_where_there_is_no_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    data = tmp_path / "data"
    make_data(data)
    command = ["train", "--data", str(data), "--runs", str(tmp_path / "runs")]
    command += ["--weights", "random", "--variant", "base", "--on", f"ray:127.0.0.1:{free_port()}"]
    result = CliRunner().invoke(cli, command, standalone_mode=False)
    assert isinstance(result.exception, UserError)
    assert not (tmp_path / "runs").exists()


def node(**more: object) -> NodeFacts:
    fields = {"node": "n", "host": "gpu-1", "versions": node_facts.relevant_versions(), "cpus": 4}
    return NodeFacts(**(fields | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts_of_node", "gpu", "message"),
    [
        (
            {"versions": node_facts.relevant_versions() | {"python": "3.99.1"}},
            None,
            "node gpu-1 has python 3.99",
        ),
        (
            {"versions": node_facts.relevant_versions() | {"numpy": "1.0"}},
            None,
            "node gpu-1 has numpy 1.0 (here",
        ),
        ({"problem": "has no postertui"}, None, "node gpu-1 has no postertui"),
        ({"cpus": 0}, None, "no node has a CPU to give"),
        ({"gpus": ("gpu:0",)}, 0.5, "--gpu 0.5 fits nowhere: the nodes have no GPU each"),
        (
            {"gpus": ("gpu:0",), "gpu_slots": 1},
            2.0,
            "--gpu 2 fits nowhere: the nodes have at most 1 GPU each",
        ),
    ],
)
def test_nodes_that_will_not_do(
    facts_of_node: dict[str, object], gpu: float | None, message: str
) -> None:
    [problem] = find_problems((node(**facts_of_node),), gpu)
    assert problem.startswith(message)


def test_nodes_that_will_do() -> None:
    patch = node_facts.relevant_versions() | {
        "python": node_facts.relevant_versions()["python"] + "1"
    }
    assert not list(find_problems((node(), node(gpu_slots=1, versions=patch)), 0.25))


def test_before_training_the_first_problem_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checks, "fetch_node_facts", lambda *_: (node(problem="has no room"),))
    with pytest.raises(UserError, match="http://head:8265: node gpu-1 has no room"):
        checks.check_before_training(tmp_path, Address("head", 8265), None)


@pytest.mark.parametrize(
    ("on", "host", "port"),
    [
        ("ray:head", "head", 8265),
        ("ray:10.0.0.7:9000", "10.0.0.7", 9000),
        ("ray:http://head:9000/", "head", 9000),
        ("ray", "127.0.0.1", 8265),
    ],
)
def test_addresses(on: str, host: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    assert parse_address(on) == Address(host, port)


def test_the_address_that_ray_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.7:6379")
    assert parse_address("ray") == Address("10.0.0.7", 8265)
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://10.0.0.8:9000")
    assert parse_address("ray") == Address("10.0.0.8", 9000)


@pytest.mark.parametrize(
    "on", ["slurm", "here:", "rays", "ray:a b", "ray:head:99999", "ray:../x", "ray:;"]
)
def test_addresses_that_are_none(on: str) -> None:
    with pytest.raises(UserError, match="--on"):
        open_cluster(on)


def test_gpu_shares_are_asked_for_or_measured() -> None:
    shares = GpuShares()
    assert shares.gpu(exclusive=False, on_cluster=0) == 0
    assert shares.gpu(exclusive=False, on_cluster=2) == 1
    assert shares.record_usage(0.2)
    assert shares.gpu(exclusive=False, on_cluster=2) == share_for_usage(0.2) == 1 / 4
    assert not shares.record_usage(0.1)
    shares.set_limits(None, 3)
    assert shares.gpu(exclusive=False, on_cluster=2) == 1 / 3
    shares.set_limits(0.5, 3)
    assert shares.gpu(exclusive=False, on_cluster=2) == 0.5
    assert shares.gpu(exclusive=True, on_cluster=2) == 1
    assert shares.free_tasks(2, on_cluster=0) == 1


@pytest.mark.parametrize("gpu", ["0", "9", '"half"', "true"])
def test_a_study_says_how_much_of_a_gpu_its_runs_take(gpu: str, tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text("gpu = 0.25\n[base]\n")
    assert load_study(file).gpu == 0.25
    file.write_text(f"seeds = 1\ngpu = {gpu}\n[base]\n")
    with pytest.raises(UserError, match=r"study.toml:2: gpu: .* is not a number from 0.01 to 8"):
        load_study(file)
