"""The driver's decisions: how runs and agents stand, and which event lines are kept.

A plain object without input or output. Each call may append messages to `outbox`, for the client
or for an agent, in the order in which they are to be sent. Calls are idempotent: a message that
arrives twice changes nothing.
"""

from __future__ import annotations

from dataclasses import replace

from postertui.supervisor.backends.ray.agent_messages import AgentHello, RequestLines, StopAgent
from postertui.supervisor.backends.ray.client_messages import SubmitRun, WorkStatus
from postertui.supervisor.backends.ray.event_lines import (
    EventLine,
    extends,
    join_lines,
    newer_lines,
    parse_lines,
)
from postertui.supervisor.backends.ray.full_nodes import FullNodes
from postertui.supervisor.backends.ray.messages import AnyMessage
from postertui.supervisor.backends.ray.run_assignment import RunAssigner
from postertui.supervisor.backends.ray.run_messages import (
    CancelRun,
    EventLines,
    KillRun,
    LogText,
    PauseRun,
    RunEnded,
)
from postertui.supervisor.backends.ray.scheduler_state import ConnectedAgent, SubmittedRun

#: A run whose agents were lost this often is returned to the client, for it may be the cause.
MAX_LOSSES = 3

#: Seconds until a cancelled run is ended although its agent has not answered.
CANCEL_PATIENCE = 9.0

#: How much of a log is kept for a client that is disconnected, in bytes.
LOG_KEPT = 1 << 16

#: The destination of messages for the client.
CLIENT = ""


class Scheduler:
    """Runs and agents of one driver. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self.runs: dict[str, SubmittedRun] = {}
        self.agents: dict[str, ConnectedAgent] = {}
        self.outbox: list[tuple[str, AnyMessage, bytes]] = []
        self.paused = False
        self.closing = False
        self.blocking_reason: str | None = None
        self.full_nodes = FullNodes()
        self._assigner = RunAssigner(self.runs, self.agents)

    # Messages from the client

    def submit(self, message: SubmitRun, client_lines: bytes) -> None:
        """Queue a run; for one that is here already, send the client what it lacks."""
        lines = parse_lines(client_lines)
        run = self.runs.get(message.run)
        if run is None:
            self.runs[message.run] = SubmittedRun.of(message, lines)
            for other in message.together:
                if other in self.runs:
                    self.runs[other].together.add(message.run)
            self._assigner.invalidate()
            self._request_held_lines(message.run)
            return
        if extends(run.lines, lines):
            if missing := run.lines[len(lines) :]:
                self._to_client(EventLines(message.run), join_lines(missing))
        elif run.agent is None and run.ended is None and extends(lines, run.lines):
            run.lines = lines
        else:
            # The client's files have another history, and they are the source of truth.
            self.forget(message.run)
            self.submit(message, client_lines)
            return
        if run.log:
            self._to_client(LogText(message.run), run.log)
        if run.ended:
            self._to_client(run.ended)

    def cancel(self, name: str, now: float) -> None:
        """End the run on the user's request: at once while it waits, else through its job."""
        run = self.runs.get(name)
        if run is None or run.ended or run.cancelled is not None:
            return
        run.cancelled = now
        if run.agent is None:
            self._end(run, RunEnded(name, "cancelled"))
        else:
            self._to_agent(run.agent, CancelRun(name))

    def pause(self, name: str) -> None:
        """Return the run: at once while it waits, else after its epoch."""
        run = self.runs.get(name)
        if run is None or run.ended:
            return
        if run.agent is None:
            self._end(run, RunEnded(name, "released"))
        else:
            self._to_agent(run.agent, PauseRun(name))

    def kill(self, name: str, reason: str) -> None:
        run = self.runs.get(name)
        if run is None or run.ended:
            return
        if run.agent is not None:
            self._to_agent(run.agent, KillRun(name, reason))
        else:
            self._end(run, RunEnded(name, "lost", reason))

    def forget(self, name: str) -> bool:
        """Drop the run, which the client has or does not want. Whether its events end it."""
        run = self.runs.pop(name, None)
        if run is None:
            return False
        if run.agent is not None:
            self._to_agent(run.agent, KillRun(name, "no longer wanted"))
        # It may still be in a queue.
        run.ended = RunEnded(name, "released")
        for other in run.together & self.runs.keys():
            self.runs[other].together.discard(name)
        return run.is_closed

    def set_priority(self, name: str, priority: int) -> None:
        if run := self.runs.get(name):
            run.entry = replace(run.entry, priority=priority)
            self._assigner.invalidate()

    def close(self) -> None:
        """Ask every agent to stop, and return what waits."""
        self.closing = True
        for agent in self.agents:
            self._stop_agent(agent)
        for run in self.runs.values():
            if run.is_waiting:
                self._end(run, RunEnded(run.entry.run, "released"))

    # Messages from agents

    def add_agent(self, name: str, message: AgentHello, now: float) -> None:
        """Add an agent; an earlier one of the same task is lost."""
        for other in [a for a, agent in self.agents.items() if agent.task == message.task]:
            self.lose_agent(other, now)
        agent = ConnectedAgent(
            message.facts, message.task, message.exclusive, message.held, last_message=now
        )
        self.agents[name] = agent
        if useful := [run for run in message.held if self._could_use_lines(run, agent)]:
            self._to_agent(name, RequestLines(tuple(useful)))

    def merge_held_lines(self, agent: str, name: str, data: bytes) -> None:
        """Take the lines that a node has of a waiting run, where they extend what is known."""
        run = self.runs.get(name)
        if run is None or not run.is_waiting:
            return
        lines = parse_lines(data)
        if not extends(lines, run.lines):
            return
        run.node = self.agents[agent].facts.node
        self._assigner.invalidate()
        self._append_lines(run, lines)
        if run.is_closed:
            self._end(run, RunEnded(name, "released"))

    def mark_ready(self, name: str, now: float) -> None:
        agent = self.agents[name]
        agent.is_ready, agent.idle_since, agent.run = True, now, None
        if agent.stops_after_run and not agent.is_stopping:
            self._stop_agent(name)

    def retire_agents(self) -> None:
        """Stop all agents after their runs; the next get another share of a GPU."""
        for agent in self.agents.values():
            agent.stops_after_run = True

    def append_lines(self, agent: str, name: str, data: bytes) -> None:
        """Take new lines of a run from the agent that trains it; those of others are dropped."""
        run = self.runs.get(name)
        if run is not None and run.agent == agent:
            self._append_lines(run, parse_lines(data))

    def append_log(self, agent: str, name: str, data: bytes) -> None:
        run = self.runs.get(name)
        if run is not None and run.agent == agent:
            run.log = (run.log + data)[-LOG_KEPT:]
            self._to_client(LogText(name), data)

    def end_run(self, agent: str, message: RunEnded) -> None:
        run = self.runs.get(message.run)
        if run is not None and run.agent == agent:
            run.agent = None
            self._end(run, message)

    def return_run(self, agent: str, name: str, now: float, *, full: bool = False) -> None:
        """Queue a run again that its agent returns; `full`: this node has no room on its disk."""
        if full:
            self.full_nodes.add(self.agents[agent].facts.node, now)
        run = self.runs.get(name)
        if run is None or run.agent != agent:
            return
        run.agent = None
        self._assigner.invalidate()
        if self.closing:
            self._end(run, RunEnded(name, "lost", "stopped"))
        elif run.is_closed:
            self._end(run, RunEnded(name, "released"))
        elif run.cancelled is not None:
            self._end(run, RunEnded(name, "cancelled"))

    def lose_agent(self, name: str, now: float) -> None:
        """Remove an agent that has vanished; its runs wait again."""
        agent = self.agents.get(name)
        if agent is None:
            return
        for run in [run for run in self.runs.values() if run.agent == name]:
            run.losses += 1
            self.return_run(name, run.entry.run, now)
            if run.is_waiting and run.losses >= MAX_LOSSES:
                reason = f"its node was lost {run.losses} times"
                self._end(run, RunEnded(run.entry.run, "lost", reason))
        del self.agents[name]

    # Called from time to time

    def assign_runs(self, now: float) -> None:
        """Give runs to the agents that are ready."""
        if self.paused or self.closing:
            return
        self.outbox += self._assigner.assign(lambda node: self.full_nodes.is_full(node, now))

    def expire(self, now: float, silence: float, idle: float) -> list[str]:
        """End cancelled runs that go on, stop agents that are idle or have no room on their disk.

        Returns the agents that have been silent for too long.
        """
        for run in self.runs.values():
            if run.cancelled is None or run.ended or now - run.cancelled < CANCEL_PATIENCE:
                continue
            if run.agent is not None:
                self._to_agent(run.agent, KillRun(run.entry.run, "cancelled"))
                run.agent = None
            self._end(run, RunEnded(run.entry.run, "cancelled"))
        for name, agent in self.agents.items():
            if not agent.is_ready or agent.is_stopping:
                continue
            if now - agent.idle_since > idle or self.full_nodes.is_full(agent.facts.node, now):
                self._stop_agent(name)
        return [name for name, a in self.agents.items() if now - a.last_message > silence]

    def count_waiting(self, *, exclusive: bool) -> int:
        """How many runs, or groups that are trained together, wait for an agent."""
        waiting = (r.entry for r in self.runs.values() if r.is_waiting)
        return len({e.unit or e.run for e in waiting if e.exclusive == exclusive})

    def status(self) -> WorkStatus:
        """The agents and their runs, for the client."""
        agents = tuple(agent.status() for agent in self.agents.values())
        return WorkStatus(agents, self.blocking_reason)

    def _could_use_lines(self, name: str, agent: ConnectedAgent) -> bool:
        run = self.runs.get(name)
        return run is not None and run.is_waiting and agent.held[name] > len(run.lines)

    def _request_held_lines(self, name: str) -> None:
        for agent_name, agent in self.agents.items():
            if name in agent.held and self._could_use_lines(name, agent):
                self._to_agent(agent_name, RequestLines((name,)))

    def _append_lines(self, run: SubmittedRun, lines: list[EventLine]) -> None:
        new_lines = newer_lines(run.lines[-1] if run.lines else None, lines)
        if new_lines:
            run.lines.extend(new_lines)
            self._to_client(EventLines(run.entry.run), join_lines(new_lines))

    def _end(self, run: SubmittedRun, ended: RunEnded) -> None:
        run.ended = ended
        self._to_client(ended)

    def _stop_agent(self, agent: str) -> None:
        self.agents[agent].is_stopping = True
        self._to_agent(agent, StopAgent())

    def _to_client(self, message: AnyMessage, blob: bytes = b"") -> None:
        self.outbox.append((CLIENT, message, blob))

    def _to_agent(self, agent: str, message: AnyMessage) -> None:
        self.outbox.append((agent, message, b""))
