"""What Ray costs: `python -m benchmarks.cluster`. Starts a cluster on this machine; 3 to 4 minutes.

Prints the overhead per run against the local way, the scaling from one to four simulated nodes
with runs that sleep, the time from an epoch on a node to its line in the runs folder, and the
events per second that the driver and the collector hold; then what follows for a hundred nodes.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from postertui.runs.events import encode_event
from postertui.supervisor import requests
from postertui.supervisor.backends.ray.agent_messages import (
    AgentHello,
    AgentReady,
    NodeFacts,
    TrainRun,
)
from postertui.supervisor.backends.ray.client_messages import ClientHello, SubmitRun
from postertui.supervisor.backends.ray.collector import Collector
from postertui.supervisor.backends.ray.link import Link, link_key
from postertui.supervisor.backends.ray.node_facts import collect_node_facts, relevant_versions
from postertui.supervisor.backends.ray.run_messages import EventLines, RunEnded
from postertui.supervisor.backends.ray.scheduler import Scheduler
from tests.support.ray_cluster import LocalCluster, wait_for
from tests.support.supervisor import (
    cheap_environment,
    events_of,
    make_spec,
    queue,
    read,
    recorded_epochs,
    wait_until_over,
)

RUNS = 60
SLEEPING_RUNS = 6
SLEEP = 2.0
EPOCHS = 120
FLOOD = 40_000
AGENTS = 32
JOBS = 100 * 8
GENRES = ("Action", "Comedy", "Drama", "Horror")


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__).parse_args()
    os.environ.update(cheap_environment())
    with tempfile.TemporaryDirectory(prefix="postertui-cluster-") as folder:
        base = Path(folder)
        relayed, collected = flood(base / "flood")
        scattered = scatter(base / "scatter")
        with cluster_in(base / "cluster") as cluster:
            os.environ["CHEAP_NOTES"] = str(cluster.notes)
            local = seconds_per_run(train(base / "local", "here", RUNS, epochs=1, seconds=0.0))
            cluster.start_head()
            rates = {}
            for nodes in (1, 2, 4):
                cluster.start_nodes(*(f"node{n}" for n in range(len(cluster.nodes), nodes + 1)))
                runs = train(
                    base / f"scaling{nodes}",
                    cluster.address,
                    SLEEPING_RUNS * nodes,
                    epochs=4,
                    seconds=SLEEP / 4,
                )
                rates[nodes] = rate_of_workers(runs)
                if nodes == 2:
                    began = time.time()
                    many = train(base / "ray", cluster.address, RUNS, epochs=1, seconds=0.0)
                    through_ray = seconds_per_run(many)
                    starting = first_start(many) - began
                    delays = epoch_to_file(base / "delays", cluster.address)
    show(local, through_ray, starting, rates, delays, relayed, collected, scattered)
    show_hundred(relayed, scattered, hand_out_seconds())


def show(
    local: float,
    through_ray: float,
    starting: float,
    rates: dict[int, float],
    delays: list[float],
    relayed: float,
    collected: float,
    scattered: float,
) -> None:
    print(f"{RUNS} runs of one epoch, two at a time, per run and worker:")
    print(f"  local                        {local * 1000:7.0f} ms")
    print(f"  through Ray                  {through_ray * 1000:7.0f} ms")
    print(f"  overhead                     {(through_ray - local) * 1000:7.0f} ms   (aim < 300)")
    print(f"  to the first run's start     {starting:7.1f} s")
    print(f"runs that sleep {SLEEP:g} s, runs a second of all workers:")
    for nodes, rate in rates.items():
        ratio = rate / (rates[1] * nodes)
        print(f"  {nodes} nodes                      {rate:7.2f}      {ratio:.0%} of {nodes} alone")
    ordered = sorted(delays)
    p99 = ordered[int(len(ordered) * 0.99)]
    print(f"epoch on a node to its line in the runs folder, {len(delays)} epochs, two nodes:")
    print(f"  median, p99                  {statistics.median(delays) * 1000:7.0f} ms")
    print(f"                               {p99 * 1000:7.0f} ms   (aim < 1000)")
    print(f"events a second, {AGENTS} agents, {FLOOD} events:")
    print(f"  agents to driver to client   {relayed:7.0f}")
    print(f"  of them durable in files     {collected:7.0f}      (aim 5000)")
    print(f"  durable, each of another run {scattered:7.0f}")


def show_hundred(relayed: float, scattered: float, hand_out: float) -> None:
    jobs, run = JOBS, 30.0
    print("on paper, 100 nodes with 8 GPUs, a run each at a time, 10,000 runs waiting:")
    print(f"  epochs of 1 s                {jobs:7d} events a second, of other runs each")
    print(f"    of what files take         {jobs / scattered:7.0%}")
    print(f"    of what the driver passes  {jobs / relayed:7.0%}")
    print(f"  files hold epochs down to    {jobs / scattered * 1000:7.0f} ms   (this breaks first)")
    print(f"  giving out a run             {hand_out * 1e6:7.0f} us")
    print(f"  the same, runs of {run:g} s      {hand_out * jobs / run:7.1%} of the driver at worst")
    print(
        f"  agents' signs of life        {jobs / 2:7.0f} a second, {jobs / 2 / relayed:.0%} of it"
    )
    print(f"  features to 100 nodes        {100 * 20 / 1000:7.1f} GB from the head, 20 MB each")


def hand_out_seconds() -> float:
    """What the driver takes to find the next run for one of 800 agents."""
    scheduler = Scheduler()
    for number in range(10_800):
        spec = make_spec(f"genre {number % 18}", seed=number, created=number)
        scheduler.submit(SubmitRun(spec.run, msgspec.Raw(msgspec.json.encode(spec))), b"")
    for number in range(800):
        facts = NodeFacts(node=f"n{number // 8}", host="h")
        scheduler.add_agent(f"a{number}", AgentHello(f"a{number}", facts), 0)
        scheduler.mark_ready(f"a{number}", 0)
    scheduler.assign_runs(0)
    took = []
    for number in range(20):
        name = f"a{number}"
        scheduler.end_run(name, RunEnded(scheduler.agents[name].run or "", "released"))
        scheduler.mark_ready(name, 1)
        began = time.perf_counter()
        scheduler.assign_runs(1)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


# Through the whole program


@contextmanager
def cluster_in(folder: Path) -> Iterator[LocalCluster]:
    folder.mkdir()
    cluster = LocalCluster(folder)
    os.environ.update(cluster.client_environment)
    try:
        yield cluster
    finally:
        cluster.stop()


def train(folder: Path, on: str, count: int, *, epochs: int, seconds: float) -> Path:
    """Train so many runs; their folder."""
    set_pace(seconds)
    folder.mkdir(parents=True)
    queue(
        folder,
        *(
            make_spec(GENRES[number % len(GENRES)], seed=number, epochs=epochs, created=number)
            for number in range(count)
        ),
    )
    requests.ensure_supervisor(folder, on=on, jobs=2 if on == "here" else None)
    wait_for(lambda: all(run.is_closed for run in read(folder).values()), "the runs", 240)
    wait_until_over(folder)
    assert {run.state for run in read(folder).values()} == {"done"}
    return folder


def set_pace(seconds: float) -> None:
    """How long an epoch takes at least, wherever it is trained."""
    (Path(os.environ["CHEAP_NOTES"]) / "pace").write_text(str(seconds))


def spans(folder: Path) -> dict[int, list[tuple[float, float]]]:
    """Start and end of each run, by the job that trained it."""
    durations = defaultdict(list)
    for name in read(folder):
        events = events_of(folder, name)
        durations[events[0]["pid"]].append((events[0]["time"], events[-1]["time"]))
    return durations


def seconds_per_run(folder: Path) -> float:
    """How long a job takes from one run's start to the next one's, once it is warm."""
    gaps = [
        after[0] - before[0]
        for runs in spans(folder).values()
        for before, after in zip(sorted(runs)[1:], sorted(runs)[2:], strict=False)
    ]
    return statistics.median(gaps)


def first_start(folder: Path) -> float:
    return min(start for runs in spans(folder).values() for start, _ in runs)


def rate_of_workers(folder: Path) -> float:
    """Runs a second, each job counted from its first start to its last end."""
    return sum(
        len(runs) / (max(end for _, end in runs) - min(start for start, _ in runs))
        for runs in spans(folder).values()
    )


def epoch_to_file(folder: Path, on: str) -> list[float]:
    """Seconds from each epoch's end on a node until a reader of the runs folder sees its line."""
    set_pace(0.1)
    folder.mkdir()
    names = queue(folder, *(make_spec(genre, epochs=EPOCHS) for genre in GENRES[:2]))
    requests.ensure_supervisor(folder, on=on)
    offsets = dict.fromkeys(names, 0)
    delays: list[float] = []
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(delays) < EPOCHS * len(names):
        for name in names:
            path = folder / name / "events.jsonl"
            if not path.exists() or path.stat().st_size == offsets[name]:
                continue
            now = time.time()
            with path.open("rb") as file:
                file.seek(offsets[name])
                fresh = file.read()
            whole = fresh[: fresh.rfind(b"\n") + 1]
            offsets[name] += len(whole)
            events = [msgspec.json.decode(line) for line in whole.splitlines()]
            delays += [now - e["time"] for e in events if e["event"] == "epoch"]
        time.sleep(0.005)
    wait_until_over(folder)
    assert sum(recorded_epochs(folder, name) for name in names) == EPOCHS * len(names)
    return delays


# The collector, flooded


def flood(folder: Path) -> tuple[float, float]:
    """Events a second through the driver, and those made durable; the agents only talk."""
    home = folder / "home"
    home.mkdir(parents=True)
    os.environ["POSTERTUI_CLUSTER_HOME"] = str(home)
    runs = folder / "runs"
    runs.mkdir()
    specs = [make_spec(f"genre {n}") for n in range(AGENTS)]
    names = queue(runs, *specs)
    key = link_key("flood")
    context = multiprocessing.get_context("spawn")
    ports = context.Queue()
    driver = context.Process(target=drive, args=(ports, key), daemon=True)
    driver.start()
    port = ports.get(timeout=60)
    collector = Collector(runs)
    client = Link.connect("127.0.0.1", port, key)
    client.send(ClientHello(relevant_versions()))
    for spec in specs:
        collector.claim(spec.run, "flood")
        client.send(SubmitRun(spec.run, msgspec.Raw(msgspec.json.encode(spec))))
    talkers = context.Process(target=talk, args=(port, key), daemon=True)
    talkers.start()
    began = relayed = 0.0
    count = 0
    while count < FLOOD:
        frame = client.receive(60)
        assert frame is not None, "the driver has gone"
        while frame is not None:
            message, blob = frame
            if isinstance(message, EventLines):
                began = began or time.monotonic()
                count += blob.count(b"\n")
                collector.add_lines(message.run, blob)
            frame = client.receive()
        relayed = time.monotonic()
        collector.flush()
    ended = time.monotonic()
    assert sum(recorded_epochs(runs, name) for name in names) == FLOOD
    for process in (talkers, driver):
        process.terminate()
        process.join()
    client.close()
    return FLOOD / (relayed - began), FLOOD / (ended - began)


def scatter(folder: Path, rounds: int = 5) -> float:
    """Events a second that are made durable where each is of another of `JOBS` runs."""
    folder.mkdir()
    names = queue(folder, *(make_spec(f"genre {n}") for n in range(JOBS)))
    collector = Collector(folder)
    for name in names:
        collector.claim(name, "scatter")
    fields = {f"metric_{n}": n / 7 for n in range(24)}
    began = time.monotonic()
    for seq in range(rounds):
        line = encode_event(seq, 1, "epoch", fields | {"epoch": seq + 1}, time.time())
        for name in names:
            collector.add_lines(name, line)
        assert collector.flush()
    took = time.monotonic() - began
    for name in names:
        collector.release(name)
    return rounds * JOBS / took


def drive(ports: Any, key: bytes) -> None:
    """A driver that asks no Ray for agents."""
    from postertui.supervisor.backends.ray.driver import Driver

    async def serve() -> None:
        driver = Driver("flood", key)
        server = await asyncio.start_server(driver.server.connected, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        while True:
            await asyncio.sleep(0.05)
            driver.scheduler.assign_runs(time.monotonic())
            driver.server.flush()

    asyncio.run(serve())


def talk(port: int, key: bytes) -> None:
    """Agents that have their epochs at hand."""

    def agent(number: int) -> None:
        link = Link.connect("127.0.0.1", port, key)
        link.send(AgentHello(f"t{number}", collect_node_facts(f"n{number}")))
        link.send(AgentReady())
        while True:
            match link.receive(30):
                case (TrainRun(run=run), _):
                    break
                case _:
                    pass
        fields = {f"metric_{n}": n / 7 for n in range(24)}
        for seq in range(FLOOD // AGENTS):
            line = encode_event(seq, 1, "epoch", fields | {"epoch": seq + 1}, time.time())
            link.send(EventLines(run), line)
        time.sleep(60)

    threads = [threading.Thread(target=agent, args=(n,), daemon=True) for n in range(AGENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
