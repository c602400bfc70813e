"""What the driver decides, as a plain object: who trains what, and what is known of each run.

The hub does no input or output. Each call may leave messages in `outbox`, for the client or for an
agent, in the order in which they have to be sent. Nobody loses by a call that comes twice.
"""

from __future__ import annotations

import collections

import msgspec

from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.ray.protocol import (
    Agent,
    AnyMessage,
    Beat,
    Cancel,
    Ended,
    Kill,
    Leave,
    Line,
    Lines,
    Log,
    Rest,
    Show,
    Submit,
    Train,
    Work,
    Working,
    continues,
    join,
    newer,
    read_lines,
)
from postertui.supervisor.backends.ray.roster import Queue, Run, Worker
from postertui.supervisor.queue import Entry, in_order

#: A run whose agents were lost this often is given back, for it may be the reason.
MAX_LOSSES = 3

#: Seconds that a cancelled run has before it is ended without its agent's word.
CANCEL_PATIENCE = 9.0

#: How much of a log is kept for a client that is away, in bytes.
LOG_KEPT = 1 << 16

#: Seconds for which a node without room on its disk gets no runs.
FULL_SECONDS = 60.0

#: The destination of what is for the client.
CLIENT = ""


class Hub:
    """Runs and agents of one driver. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.agents: dict[str, Worker] = {}
        self.outbox: list[tuple[str, AnyMessage, bytes]] = []
        self.paused = False
        self.closing = False
        self.trouble: str | None = None
        self._full: dict[str, float] = {}
        # Who waits, in order; None where somebody has come to wait, or the order has changed.
        self._queues: dict[bool, Queue] | None = None

    # What the client says

    def submit(self, message: Submit, known: bytes) -> None:
        """Queue a run; for one that is here already, tell the client what it lacks."""
        lines = read_lines(known)
        run = self.runs.get(message.run)
        if run is None:
            spec = msgspec.json.decode(message.spec, type=RunSpec)
            entry = Entry(message.run, spec.genre, spec.created, message.priority, message.alone)
            self.runs[message.run] = Run(entry, message.spec, message.has_data, lines)
            self._queues = None
            self._ask_for_held(message.run)
            return
        if continues(run.lines, lines):
            if missing := run.lines[len(lines) :]:
                self._to_client(Lines(message.run), join(missing))
        elif run.holder is None and run.ended is None and continues(lines, run.lines):
            run.lines = lines
        else:
            # The client went another way meanwhile, and its files are the truth.
            self.forget(message.run)
            self.submit(message, known)
            return
        if run.log:
            self._to_client(Log(message.run), run.log)
        if run.ended:
            self._to_client(run.ended)

    def cancel(self, name: str, now: float) -> None:
        """End the run as its owner wants it: at once while it waits, else by its job."""
        run = self.runs.get(name)
        if run is None or run.ended or run.cancelled is not None:
            return
        run.cancelled = now
        if run.holder is None:
            self._end(run, Ended(name, "cancelled"))
        else:
            self._to_agent(run.holder, Cancel(name))

    def rest(self, name: str) -> None:
        """Give the run back: at once while it waits, else after its epoch."""
        run = self.runs.get(name)
        if run is None or run.ended:
            return
        if run.holder is None:
            self._end(run, Ended(name, "released"))
        else:
            self._to_agent(run.holder, Rest(name))

    def kill(self, name: str, reason: str) -> None:
        run = self.runs.get(name)
        if run is None or run.ended:
            return
        if run.holder is not None:
            self._to_agent(run.holder, Kill(name, reason))
        else:
            self._end(run, Ended(name, "lost", reason))

    def forget(self, name: str) -> bool:
        """The client needs nothing of this run any more. Whether it has trained to its end."""
        run = self.runs.pop(name, None)
        if run is None:
            return False
        if run.holder is not None:
            self._to_agent(run.holder, Kill(name, "no longer wanted"))
        # It may still stand in a queue.
        run.ended = Ended(name, "released")
        return bool(run.lines) and run.lines[-1].mark.is_end

    def prioritise(self, name: str, priority: int) -> None:
        if run := self.runs.get(name):
            entry = run.entry
            run.entry = Entry(name, entry.genre, entry.created, priority, entry.alone)
            self._queues = None

    def close(self) -> None:
        """Let every agent stop; give back what waits."""
        self.closing = True
        for agent in self.agents:
            self._leave(agent)
        for run in self.runs.values():
            if run.waits:
                self._end(run, Ended(run.entry.run, "released"))

    # What agents say

    def join(self, agent: str, message: Agent, now: float) -> None:
        """An agent has come; another one that the same task had is gone."""
        for other in [a for a, w in self.agents.items() if w.task == message.task]:
            self.lose(other, now)
        worker = Worker(message.facts, message.task, message.alone, message.held, heard=now)
        self.agents[agent] = worker
        wanted = [r for r in message.held if self._could_use(r, worker)]
        if wanted:
            self._to_agent(agent, Show(tuple(wanted)))

    def hold(self, agent: str, name: str, data: bytes) -> None:
        """A node shows what it has of a run; it counts where it continues what is known."""
        run = self.runs.get(name)
        if run is None or not run.waits:
            return
        theirs = read_lines(data)
        if not continues(theirs, run.lines):
            return
        run.node = self.agents[agent].facts.node
        self._queues = None
        self._extend(run, theirs)
        if run.lines and run.lines[-1].mark.is_end:
            self._end(run, Ended(name, "released"))

    def ready(self, agent: str, now: float) -> None:
        worker = self.agents[agent]
        worker.is_ready, worker.idle_since, worker.run = True, now, None
        if worker.retires and not worker.is_leaving:
            self._leave(agent)

    def retire_all(self) -> None:
        """Let the agents go after their runs: others shall come, with another share of a GPU."""
        for worker in self.agents.values():
            worker.retires = True

    def take(self, agent: str, name: str, data: bytes) -> None:
        """Lines of a run, from the agent that has it; anybody else's are dropped."""
        run = self.runs.get(name)
        if run is not None and run.holder == agent:
            self._extend(run, read_lines(data))

    def log(self, agent: str, name: str, data: bytes) -> None:
        run = self.runs.get(name)
        if run is not None and run.holder == agent:
            run.log = (run.log + data)[-LOG_KEPT:]
            self._to_client(Log(name), data)

    def ended(self, agent: str, message: Ended) -> None:
        run = self.runs.get(message.run)
        if run is not None and run.holder == agent:
            run.holder = None
            self._end(run, message)

    def returned(self, agent: str, name: str, now: float, *, full: bool = False) -> None:
        """The agent gives a run back: it waits again, for another node where this one is full."""
        if full:
            self._full[self.agents[agent].facts.node] = now
        run = self.runs.get(name)
        if run is None or run.holder != agent:
            return
        run.holder, self._queues = None, None
        if self.closing:
            self._end(run, Ended(name, "lost", "stopped"))
        elif run.lines and run.lines[-1].mark.is_end:
            self._end(run, Ended(name, "released"))
        elif run.cancelled is not None:
            self._end(run, Ended(name, "cancelled"))

    def lose(self, agent: str, now: float) -> None:
        """The agent is gone without a word; its run waits again."""
        worker = self.agents.pop(agent, None)
        if worker is None or worker.run is None:
            return
        run = self.runs.get(worker.run)
        if run is None or run.holder != agent:
            return
        run.losses += 1
        self.agents[agent] = worker
        self.returned(agent, worker.run, now)
        del self.agents[agent]
        if run.waits and run.losses >= MAX_LOSSES:
            self._end(run, Ended(worker.run, "lost", f"its node was lost {run.losses} times"))

    # What is due

    def hand_out(self, now: float) -> None:
        """Give runs to the agents that are ready."""
        if self.paused or self.closing:
            return
        ready = [
            (name, worker)
            for name, worker in self.agents.items()
            if worker.is_ready
            and not worker.is_leaving
            and not self.is_full(worker.facts.node, now)
        ]
        if not ready:
            return
        if self._queues is None:
            self._queues = {alone: Queue(self._in_line(alone=alone)) for alone in (False, True)}
        taken = collections.Counter(w.genre for w in self.agents.values() if w.run)
        for name, worker in ready:
            run = self._queues[worker.alone].take(worker.facts.node, worker.genre, taken)
            if run is None:
                continue
            taken[run.entry.genre] += 1
            run.holder, run.node = name, worker.facts.node
            worker.is_ready, worker.run, worker.genre = False, run.entry.run, run.entry.genre
            worker.held.pop(run.entry.run, None)
            message = Train(run.entry.run, run.spec, run.entry.alone, run.has_data)
            self.outbox.append((name, message, join(run.lines)))

    def overdue(self, now: float, silence: float, idle: float) -> list[str]:
        """End what was cancelled and goes on; send idle agents away. Agents that fell silent."""
        for run in self.runs.values():
            if run.cancelled is None or run.ended or now - run.cancelled < CANCEL_PATIENCE:
                continue
            if run.holder is not None:
                self._to_agent(run.holder, Kill(run.entry.run, "cancelled"))
                run.holder = None
            self._end(run, Ended(run.entry.run, "cancelled"))
        for name, worker in self.agents.items():
            waits = worker.is_ready and now - worker.idle_since > idle
            full = worker.is_ready and self.is_full(worker.facts.node, now)
            if (waits and not worker.is_leaving) or full:
                self._leave(name)
        return [a for a, w in self.agents.items() if now - w.heard > silence]

    def is_full(self, node: str, now: float) -> bool:
        """Whether the node said a while ago that its disk is full."""
        return now - self._full.get(node, -FULL_SECONDS) < FULL_SECONDS

    def full_nodes(self, now: float) -> list[str]:
        return [node for node in self._full if self.is_full(node, now)]

    def waiting(self, *, alone: bool) -> int:
        """How many runs wait for an agent."""
        return sum(r.waits and r.entry.alone == alone for r in self.runs.values())

    def work(self) -> Work:
        """Who does what, for the client."""
        agents = []
        for worker in self.agents.values():
            beat = worker.beat or Beat("cpu")
            agents.append(
                Working(worker.facts.host, beat.device, worker.run, beat.pid, beat.memory)
            )
        return Work(tuple(agents), self.trouble)

    def _in_line(self, *, alone: bool) -> list[Run]:
        """The runs that wait, the first one first."""
        waiting = {
            r.entry.run: r
            for r in self.runs.values()
            if r.waits and r.cancelled is None and r.entry.alone == alone
        }
        return [waiting[e.run] for e in in_order(r.entry for r in waiting.values())]

    def _could_use(self, name: str, worker: Worker) -> bool:
        run = self.runs.get(name)
        return run is not None and run.waits and worker.held[name] > len(run.lines)

    def _ask_for_held(self, name: str) -> None:
        for agent, worker in self.agents.items():
            if name in worker.held and self._could_use(name, worker):
                self._to_agent(agent, Show((name,)))

    def _extend(self, run: Run, lines: list[Line]) -> None:
        fresh = newer(run.lines[-1] if run.lines else None, lines)
        if fresh:
            run.lines.extend(fresh)
            self._to_client(Lines(run.entry.run), join(fresh))

    def _end(self, run: Run, ended: Ended) -> None:
        run.ended = ended
        self._to_client(ended)

    def _leave(self, agent: str) -> None:
        self.agents[agent].is_leaving = True
        self._to_agent(agent, Leave())

    def _to_client(self, message: AnyMessage, blob: bytes = b"") -> None:
        self.outbox.append((CLIENT, message, blob))

    def _to_agent(self, agent: str, message: AnyMessage) -> None:
        self.outbox.append((agent, message, b""))
