"""Events are appended whole or not at all, and read back to the bit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postertui.runs import events as events_module
from postertui.runs.bounds import MAX_NUMBER
from postertui.runs.events import (
    MAX_LINE_BYTES,
    DamagedEventsError,
    EventWriter,
    encode_event,
    parse_events,
)

scalars = st.one_of(
    st.floats(), st.integers(-(2**53), 2**53), st.booleans(), st.none(), st.text(max_size=20)
)
#: No field of this version begins so: those have types of their own.
names = st.text(max_size=11).map(lambda name: f"~{name}")
fields = st.dictionaries(names, scalars, max_size=6)
KIND = st.sampled_from(["start", "epoch", "end", "features", "requeue", "of the future"])

#: What an event of a kind cannot be without.
NEEDED: dict[str, dict[str, Any]] = {"epoch": {"epoch": 1}, "end": {"status": "done"}}


@given(fields=fields, kind=KIND, when=st.floats(0, 4e9))
def test_event_comes_back_as_it_was_with_undefined_numbers_named(
    fields: dict[str, Any], kind: str, when: float
) -> None:
    fields = fields | NEEDED.get(kind, {})
    line = encode_event(7, 2, kind, fields, when)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    [event], size = parse_events(line)
    assert size == len(line)
    assert (event["v"], event["seq"], event["attempt"], event["event"]) == (1, 7, 2, kind)
    assert event["time"] == when
    for name, value in fields.items():
        if isinstance(value, float) and not abs(value) <= MAX_NUMBER:
            assert event[name] is None
            assert name in event["nonfinite"]
        else:
            assert event[name] == value
            assert type(event[name]) is type(value)


@given(events=st.lists(st.tuples(KIND, fields), min_size=1, max_size=5), cut=st.integers(0, 10_000))
def test_torn_tail_is_left_and_everything_before_it_is_read(
    events: list[tuple[str, dict[str, Any]]], cut: int
) -> None:
    lines = [
        encode_event(n, 1, kind, f | NEEDED.get(kind, {}), 0.0)
        for n, (kind, f) in enumerate(events)
    ]
    data = b"".join(lines)[:cut]
    parsed_events, size = parse_events(data)
    whole = [n for n in range(len(lines)) if len(b"".join(lines[: n + 1])) <= len(data)]
    assert [e["seq"] for e in parsed_events] == whole
    assert size == len(b"".join(lines[: len(whole)]))


@given(data=st.binary(max_size=200))
def test_anything_at_all_is_events_or_damage_at_a_line(data: bytes) -> None:
    try:
        events, size = parse_events(data)
    except DamagedEventsError as error:
        assert 1 <= error.line <= data.count(b"\n")
    else:
        assert len(events) == data[:size].count(b"\n")


@settings(max_examples=50)
@given(cuts=st.lists(st.integers(0, 60), min_size=1, max_size=6))
def test_writer_goes_on_after_a_crash_wherever_that_was(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    for cut in cuts:
        with EventWriter(path) as writer:
            writer.append("epoch", epoch=1)
            writer.append("epoch", epoch=2)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) - cut])
    with EventWriter(path) as writer:
        writer.append("end", status="done")
    events, size = parse_events(path.read_bytes())
    assert size == path.stat().st_size
    assert [e["seq"] for e in events] == list(range(len(events)))


def test_short_write_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk shows as a write of fewer bytes than asked for."""
    path = tmp_path / "events.jsonl"
    write = os.write
    with EventWriter(path) as writer:
        writer.append("start")
        before = path.read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda fd, data: write(fd, data[:10]))
            with pytest.raises(OSError, match="No space left"):
                writer.append("epoch", epoch=1)
        assert path.read_bytes() == before
        writer.append("epoch", epoch=1)
    assert [e["seq"] for e in parse_events(path.read_bytes())[0]] == [0, 1]


def test_event_is_on_disk_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows an event, such as a newer checkpoint, must not outlive it in a power cut."""
    path = tmp_path / "events.jsonl"
    synchronised: list[bytes] = []
    monkeypatch.setattr(os, "fdatasync", lambda _: synchronised.append(path.read_bytes()))
    with EventWriter(path) as writer:
        writer.append("start")
        assert synchronised == [path.read_bytes()]
        writer.append_lines(encode_event(1, 1, "epoch", {"epoch": 1}, 0.0), 1, 1)
        assert synchronised[-1] == path.read_bytes() != synchronised[0]


def test_writer_goes_on_with_the_newest_attempt(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventWriter(path) as writer:
        assert writer.attempt == 0
        writer.attempt += 1
        writer.append("start")
        lines = [encode_event(seq, 2, "requeue", {}, 0.0) for seq in (1, 2)]
        writer.append_lines(b"".join(lines), 2, 2)
        writer.append("start")
    with EventWriter(path) as writer:
        writer.append("end", status="done")
    events, _ = parse_events(path.read_bytes())
    assert [(e["attempt"], e["seq"]) for e in events] == [(1, 0), (2, 1), (2, 2), (2, 3), (2, 4)]


def test_line_longer_than_any_event_is_damage_whether_it_ends_or_not() -> None:
    good = encode_event(0, 1, "start", {}, 0.0)
    space = MAX_LINE_BYTES - len(good) + 1
    longest = good[:-2] + b" " * space + b"}"
    assert len(longest) == MAX_LINE_BYTES
    assert len(parse_events(good * 2 + longest + b"\n" + good)[0]) == 4
    assert len(parse_events(good * 2 + longest)[0]) == 2
    for end in (b"", b"\n"):
        with pytest.raises(DamagedEventsError, match=r"line 3.*long") as caught:
            parse_events(good * 2 + longest + b" " + end)
        assert caught.value.line == 3


def test_damage_has_its_line_in_the_whole_file_however_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "CHUNK_BYTES", 100)
    path = tmp_path / "events.jsonl"
    good = [encode_event(n, 1, "epoch", {"epoch": n + 1}, 0.0) for n in range(9)]
    path.write_bytes(b"".join(good))
    with EventWriter(path) as writer:
        assert [e["seq"] for e in writer.events] == list(range(9))
    path.write_bytes(b"".join(good) + b"nonsense\n")
    with pytest.raises(DamagedEventsError) as caught:
        EventWriter(path)
    assert caught.value.line == 10


def test_writer_refuses_a_damaged_file_and_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"nonsense\ntail")
    with pytest.raises(DamagedEventsError, match="line 1"):
        EventWriter(path)
    assert path.read_bytes() == b"nonsense\ntail"


@pytest.mark.parametrize(
    "line",
    [
        b'{"event":"end"}',
        b'{"attempt":1}',
        b'{"event":5,"attempt":1}',
        b'{"event":"end","attempt":"1"}',
        b'{"event":"epoch","attempt":1,"loss":NaN}',
        b'{"event":"epoch","attempt":1}\x00',
        b"[]",
        b"",
        b"\xff",
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
    ],
)
def test_complete_line_that_is_no_event_is_damage_with_its_number(line: bytes) -> None:
    good = encode_event(0, 1, "start", {}, 0.0)
    with pytest.raises(DamagedEventsError) as caught:
        parse_events(good + good + line + b"\n" + good)
    assert caught.value.line == 3
