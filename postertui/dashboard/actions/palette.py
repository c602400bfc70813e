"""The command palette: every key's action, and every choice by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, runtime_checkable

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from postertui.dashboard.actions.keymap import Keymap, keys_of
from postertui.dashboard.actions.registry import Action, actions_in

#: Actions that make no sense as a command.
_NO_COMMANDS = {"main.back", "app.commands"}


class Command(NamedTuple):
    """One entry. `always` are listed before anything is typed."""

    title: str
    run: Callable[[], object]
    always: bool = False


@runtime_checkable
class CommandSource(Protocol):
    """An application that has commands."""

    def palette_commands(self) -> Iterator[Command]:
        """All of them, those of keys first."""


class CommandProvider(Provider):
    """The commands of the application, found by any part of their titles."""

    def _commands(self) -> Iterator[Command]:
        source = self.app
        assert isinstance(source, CommandSource)
        return source.palette_commands()

    async def discover(self) -> Hits:
        for command in self._commands():
            if command.always:
                yield DiscoveryHit(Content(command.title), command.run)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command in self._commands():
            score = matcher.match(command.title)
            if score > 0:
                yield Hit(score, matcher.highlight(command.title), command.run)


def action_commands(
    regions: tuple[str, ...],
    keymap: Keymap,
    run: Callable[[Action], Callable[[], object]],
    *,
    read_only: bool = False,
) -> Iterator[Command]:
    """A command for each action of `regions`; `run` gives what it does."""
    for action in actions_in(*regions, read_only=read_only):
        if not action.system and action.id not in _NO_COMMANDS:
            explanation = f": {action.help}" if action.help else ""
            title = f"{action.label.lower()}{explanation}  ({keys_of(action, keymap)[0]})"
            yield Command(title, run(action), always=True)
