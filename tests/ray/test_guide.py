"""What the guide has people type is what Ray and postertui take."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from postertui.cli import cli

pytest.importorskip("ray")

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def cluster_file() -> dict[str, Any]:
    import yaml

    [text] = blocks("yaml")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def test_the_cluster_file_is_what_ray_takes(cluster_file: dict[str, Any]) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(cluster_file))
    cluster_file["head_start_commands"] = []
    with pytest.raises(Exception, match="head_start_commands"):
        validate_config(cluster_file)


def commands(program: str) -> list[list[str]]:
    """The words after each mention of the program in what is to be typed."""
    examples = []
    for line in "\n".join([*blocks("sh"), *blocks("yaml")]).splitlines():
        for text in re.findall(rf"(?:^|[\s'])(?<!-){program} ([a-z][^'&;#]*)", line):
            examples.append(shlex.split(text))
    return examples


def check(group: click.Group, words: list[str]) -> None:
    """Parse the words without doing what they say."""
    context = click.Context(group)
    name, command, rest = group.resolve_command(context, words)
    assert command is not None
    command.make_context(name, rest, parent=context)


def test_the_commands_are_those_that_there_are() -> None:
    from ray.scripts.scripts import cli as ray

    typed = commands("ray")
    assert {words[0] for words in typed} >= {"start", "stop", "up", "attach", "down"}
    for words in typed:
        check(ray, words)
    ours = commands("postertui")
    assert {words[0] for words in ours} >= {"doctor", "train", "report"}
    for words in ours:
        check(cli, words)
