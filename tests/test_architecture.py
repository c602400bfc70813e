"""What documents say of the source is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import room_picture

ROOT = Path(__file__).resolve().parents[1]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_picture_is_drawn_from_the_present_imports() -> None:
    assert room_picture.PICTURE.read_text() == room_picture.draw(), "run `make picture`"


def test_implied_arrows_are_left_out_and_no_others() -> None:
    graph = {"cli": {"report", "figures"}, "report": {"figures"}, "figures": set[str]()}
    drawn = room_picture.without_implied(graph)
    assert drawn == {"cli": {"report"}, "report": {"figures"}, "figures": set()}


def test_every_room_is_described() -> None:
    described = set(re.findall(r"^\| `postertui/(\w+)(?:/|\.py)` \|", ARCHITECTURE, re.MULTILINE))
    assert described == set(room_picture.rooms())


def test_every_variable_of_the_environment_is_in_the_table() -> None:
    table = ARCHITECTURE.partition("## Environment variables")[2]
    described = set(re.findall(r"`(POSTERTUI_[A-Z_]+)`", table))
    read = {
        name
        for path in (ROOT / "postertui").rglob("*.py")
        for name in re.findall(r"POSTERTUI_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8"))
    }
    assert described == read


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page: Path) -> None:
    names = re.findall(r"`((?:[a-z_]+/)+(?:\w+\.(?:py|md|sh|toml))?)`", page.read_text("utf-8"))
    users_own = (
        "runs/",
        "data/",
        "reports/",
        "posters/",
        "results/",
        "bundles/",
        "train/",
        "validation/",
    )
    missing = [
        name
        for name in names
        if not name.startswith(users_own) or name.endswith(".py")
        if not (ROOT / name).exists() and not (ROOT / "postertui" / name).exists()
    ]
    assert missing == []
