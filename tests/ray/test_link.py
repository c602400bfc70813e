"""Connections between processes, and posters and features that travel over them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.data.feature_key import feature_key
from postertui.data.weights import Weights
from postertui.runs.spec import RunSpec
from postertui.study import ALL_LAYERS, Variant
from postertui.supervisor.backends.ray import bundles
from postertui.supervisor.backends.ray.agent_messages import Heartbeat
from postertui.supervisor.backends.ray.client_messages import ClientHello, SubmitRun
from postertui.supervisor.backends.ray.file_messages import FilePiece, RequestBundle
from postertui.supervisor.backends.ray.link import Link, accept, link_key, pack, read_frame
from postertui.supervisor.backends.ray.run_messages import EventLines
from postertui.system.errors import UserError
from tests.support.asyncio_server import Handler, Served
from tests.support.poster_data import make_data
from tests.support.supervisor import make_spec

KEY = link_key("a token")


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, to callers that know the token."""
    with contextlib.suppress(OSError, EOFError):
        if await accept(reader, writer, KEY):
            while True:
                writer.write(pack(*await read_frame(reader)))
    writer.close()


@pytest.fixture
def port() -> Iterator[int]:
    served = Served(lambda: echo)
    yield served.port
    served.stop()


def test_messages_and_blobs_arrive_whole(port: int) -> None:
    link = Link.connect("127.0.0.1", port, KEY)
    blob = bytes(range(256)) * 20_000
    link.send(EventLines("run"), blob)
    link.send(Heartbeat("cpu", 7))
    assert link.receive(20) == (EventLines("run"), blob)
    assert link.receive(20) == (Heartbeat("cpu", 7), b"")
    link.close()


def test_another_token_opens_nothing(port: int) -> None:
    with pytest.raises(PermissionError, match="another token"):
        Link.connect("127.0.0.1", port, link_key("another"))


def test_a_listener_that_does_not_know_the_token_is_found_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def pretend() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(bytes(32))
                connection.recv(64)
                connection.sendall(bytes(32))

        thread = threading.Thread(target=pretend)
        thread.start()
        with pytest.raises(PermissionError, match="not a driver with our token"):
            Link.connect("127.0.0.1", server.getsockname()[1], KEY)
        thread.join()


def test_nonsense_ends_the_connection_and_nothing_else(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(64))
        received = b"".join(iter(lambda: sock.recv(4096), b""))
        assert len(received) == 32
    test_messages_and_blobs_arrive_whole(port)


def test_the_end_of_a_connection_is_reported(port: int) -> None:
    link = Link.connect("127.0.0.1", port, KEY)
    link.close()
    assert link.receive(20) is None
    assert not link.is_open
    link.send(Heartbeat("cpu"))


# Data


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    folder = make_data(tmp_path / "data")
    return make_spec("Comedy", data=str(folder), data_fingerprint=Dataset.open(folder).fingerprint)


def with_features(spec: RunSpec) -> str:
    """Put features for the spec's cohorts beside its images; their key."""
    dataset = Dataset.open(Path(spec.data))
    key = feature_key(dataset, spec.weights, ALL_LAYERS)
    folder = dataset.path / "features" / key
    folder.mkdir(parents=True)
    for digit in dataset.cohorts:
        np.save(folder / f"{digit}.npy", np.full((8, 512), digit, np.float32))
    return key


def names(spec: RunSpec) -> set[str]:
    return {name for name, _ in bundles.bundle_files(spec)}


def test_features_go_instead_of_images_where_they_are_enough(spec: RunSpec) -> None:
    labels = {"dataset.json", "labels-0.npy", "labels-2.npy", "ids-0.npy", "ids-2.npy"}
    images = {"images-0.npy", "images-2.npy"}
    assert names(spec) == labels | images
    key = with_features(spec)
    assert names(spec) == labels | {f"features/{key}/0.npy", f"features/{key}/2.npy"}
    scratch = msgspec.structs.replace(spec, variant=Variant(name="scratch", network="scratch"))
    assert names(scratch) == labels | images
    assert bundles.bundle_name(scratch) != bundles.bundle_name(spec)


def test_weights_go_where_features_have_to_be_computed(spec: RunSpec, tmp_path: Path) -> None:
    weights = tmp_path / "vgg16.h5"
    weights.write_bytes(b"weights")
    spec = msgspec.structs.replace(spec, weights=Weights("file", "d" * 8, str(weights)))
    assert bundles.WEIGHTS in names(spec)


def test_a_bundle_is_named_by_content_alone(spec: RunSpec) -> None:
    elsewhere = msgspec.structs.replace(spec, data="/elsewhere", genre="Drama", seed=7)
    assert bundles.bundle_name(elsewhere) == bundles.bundle_name(spec)
    other = msgspec.structs.replace(spec, data_fingerprint="0" * 8)
    assert bundles.bundle_name(other) != bundles.bundle_name(spec)


def test_data_that_has_changed_is_not_sent(spec: RunSpec) -> None:
    other = msgspec.structs.replace(spec, data_fingerprint="0" * 8)
    with pytest.raises(UserError, match="the data has changed since this run was queued"):
        names(other)


def test_a_shared_path_is_used_as_it_is(spec: RunSpec, tmp_path: Path) -> None:
    nowhere = SimpleNamespace(host="127.0.0.1", port=1, key="", home=str(tmp_path / "home"))
    assert bundles.provide_data(spec, nowhere, lambda: None) is spec
    assert not (tmp_path / "home").exists()


def test_a_name_that_leaves_the_bundle_is_refused(tmp_path: Path) -> None:
    draft = bundles.BundleDraft(tmp_path, "b")
    with pytest.raises(UserError, match="not a name inside a bundle"):
        draft.add(FilePiece("b", "../../escaped"), b"x")
    draft.discard()
    assert not (tmp_path / "escaped").exists()
    assert not list((tmp_path / "bundles").iterdir())


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the driver needs Ray")
def test_data_reaches_a_node_once_and_by_content(
    spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client, the driver and two agents of one node, none of which sees the other's folders."""
    from postertui.supervisor.backends.ray.driver import Driver

    with_features(spec)
    monkeypatch.setenv("POSTERTUI_CLUSTER_HOME", str(tmp_path / "head"))
    monkeypatch.setattr(bundles, "sees_run_data", lambda _: False)

    def make() -> Handler:
        driver = Driver("study", KEY)
        raw = msgspec.Raw(msgspec.json.encode(spec))
        driver.scheduler.submit(SubmitRun(spec.run, raw, has_data=True), b"")
        driver.scheduler.runs[spec.run].agent = "agent"
        return driver.server.connected

    served = Served(make)
    sent = []
    client = Link.connect("127.0.0.1", served.port, KEY)

    def serve_client() -> None:
        while client.is_open:
            match client.receive(0.1):
                case (RequestBundle(bundle=bundle), _):
                    sent.append(bundle)
                    for message, piece in bundles.pieces(bundle, bundles.bundle_files(spec)):
                        client.send(message, piece)
                case _:
                    pass

    from postertui.supervisor.backends.ray.node_facts import relevant_versions

    client.send(ClientHello(relevant_versions()))
    thread = threading.Thread(target=serve_client)
    thread.start()
    node = SimpleNamespace(
        host="127.0.0.1", port=served.port, key=KEY.hex(), home=str(tmp_path / "node")
    )
    provided: list[RunSpec] = []
    agents = [
        threading.Thread(
            target=lambda: provided.append(bundles.provide_data(spec, node, lambda: None))
        )
        for _ in range(2)
    ]
    for agent in agents:
        agent.start()
    for agent in agents:
        agent.join(60)
    client.close()
    thread.join()
    served.stop()
    # The next one finds it there and requests nothing.
    provided.append(bundles.provide_data(spec, node, lambda: None))
    assert sent == [bundles.bundle_name(spec)]
    assert len(provided) == 3
    for node_spec in provided:
        dataset = Dataset.open(Path(node_spec.data))
        assert dataset.path.is_relative_to(tmp_path / "node")
        assert dataset.fingerprint == spec.data_fingerprint
        key = feature_key(dataset, node_spec.weights, ALL_LAYERS)
        features = np.load(dataset.path / "features" / key / "2.npy")
        assert features.shape == (8, 512)
        assert (features == 2).all()
        assert node_spec.digest == spec.digest
    assert len(list((tmp_path / "node" / "bundles").iterdir())) == 2
