"""The filter language: laws that hold for any filter, and messages for those that are none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postertui.filters import FilterError, parse

RECORDS: list[dict[str, object]] = [
    {"genre": genre, "variant": variant, "name": variant, "fc1": fc1, "test_fscore": score}
    for genre in ("Comedy", "TV_Movie")
    for variant in ("base", "l2-1e-4")
    for fc1 in (256, 1024)
    for score in (None, 0.2, 0.4)
]

TERMS = st.sampled_from(
    ["comedy", "genre:tv*", "variant:base,l2-*", "fc1=256", "fc1!=256", "test_fscore>0.3"]
)
FILTERS = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        st.tuples(inner, st.sampled_from([" ", " and ", " or "]), inner).map(
            lambda t: f"({t[0]}){t[1]}({t[2]})"
        ),
    ),
    max_leaves=6,
)


def kept(text: str) -> list[int]:
    chosen = parse(text)
    return [i for i, record in enumerate(RECORDS) if chosen.matches(record)]


@settings(deadline=None, max_examples=60)
@given(FILTERS, FILTERS)
def test_the_laws_of_logic(a: str, b: str) -> None:
    everything = set(range(len(RECORDS)))
    left, right = set(kept(a)), set(kept(b))
    assert set(kept(f"({a}) and ({b})")) == set(kept(f"({a}) ({b})")) == left & right
    assert set(kept(f"({a}) or ({b})")) == left | right
    assert set(kept(f"not ({a})")) == everything - left
    assert kept(f"not not ({a})") == sorted(left)


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=40) | st.text('()":=<>!, notadr01*[', max_size=40))
def test_any_text_is_a_filter_or_a_plain_message(text: str) -> None:
    try:
        kept(text)
    except FilterError as error:
        assert 0 <= error.position <= len(text)
        assert str(error).startswith("filter: ")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "comedy" + ")" * 5000,
        "(not " * 200 + "comedy" + ")" * 200,
        "not " * 5000 + "comedy",
        "comedy " * 3000,
        "comedy or " * 3000 + "drama",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(FilterError, match=r"longer than 300|more than 40"):
        parse(text)


def test_a_long_filter_works() -> None:
    assert kept(" or ".join(["comedy"] * 150)) == kept("comedy")
    assert kept("(" * 40 + "comedy" + ")" * 40) == kept("comedy")


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("gnre:comedy", "unknown field `gnre`; close: genre", 0),
        ("comedy and", "something is missing after `and`", 7),
        ("(comedy", "`(` is not closed", 0),
        ("comedy )", "unexpected `)`", 7),
        ('genre:"com', "a quote is not closed", 6),
        ("test_fscore>high", "`high` is not a number", 0),
    ],
)
def test_a_mistake_is_reported_with_its_place(text: str, message: str, position: int) -> None:
    with pytest.raises(FilterError) as error:
        parse(text)
    assert message in str(error.value)
    assert error.value.position == position


def test_a_variants_name_goes_before_a_family() -> None:
    base = {"name": "base", "variant": "base", "family": "base"}
    wide = {"name": "fc-1024x64", "variant": "fc-1024x64", "family": "base"}
    l2 = {"name": "l2-1e-4", "variant": "l2-1e-4", "family": "regularizer L2"}
    names = [record["name"] for record in (base, wide, l2)]

    def found(text: str) -> list[str]:
        matches = parse(text, names).matches
        return [record["name"] for record in (base, wide, l2) if matches(record)]

    assert found("variant:base") == ["base"]
    assert found("variant:b*") == ["base"]
    assert found("family:base") == ["base", "fc-1024x64"]
    assert found('variant:"regularizer L2"') == ["l2-1e-4"]
    assert parse('variant:"regularizer L2",base', names).families == ("regularizer L2",)


#: One run as a filter sees it, and its neighbours in each field.
RUN: dict[str, object] = {
    "genre": "TV Movie",
    "variant": "fc-1024[x]64",
    "name": "fc-1024[x]64",
    "family": "base",
    "run": "tv_movie--fc-1024--s1-0a",
    "regularizer": "L2=1e-4",
    "state": "queued",
    "standing": "held",
    "tag": ("good", "second"),
    "dead": False,
    "fc1": 1024,
    "epoch": 7,
    "test_fscore": 0.25,
    "seconds": None,
}


@pytest.mark.parametrize(
    ("text", "selects"),
    [
        ("", True),
        ("movie", True),
        ("MOVIE", True),
        ("m?vie", True),
        ("tv*64", False),  # One field has all of a glob, not two together.
        ("[x]", True),
        ("[a-z]64", False),
        ("base", True),
        ("good", True),
        ("1024", True),
        ('"tv movie"', True),
        ("queued held", True),
        ("0.25", False),  # Numbers are no texts.
        ("none", False),
        ("genre:tv*", True),
        ("genre:movie", False),
        ("genre:tv?movie", True),
        ('genre:"tv movie"', True),
        ('genre="TV Movie"', True),
        ("genre=tv*", False),
        ('genre="tv*"', False),
        ('genre!="tv movie"', False),
        ("genre!=comedy", True),
        ('genre:"comedy,tv movie"', True),
        ("genre:comedy,,tv*", True),
        ("study:,", False),
        ("variant:fc-1024[x]64", True),
        ("variant:fc-1024x64", False),
        ("state:queued", True),
        ("state:held", True),
        ("state:running,HELD", True),
        ("state!=held", False),
        ("tag:*second", True),
        ("tags:good", False),
        ("dead:no", True),
        ("dead:yes", False),
        ("dead=0", False),
        ("fc1=1024", True),
        ("fc1=1024.0", True),
        ("fc1:1e3,1024", True),
        ("fc1=102", False),
        ("fc1:10*", True),
        ("fc1!=1024", False),
        ("epoch<7", False),
        ("epoch<=7", True),
        ("epoch>7", False),
        ("epoch>=7", True),
        ("EPOCH >= 7", True),
        ("test_fscore>.25", False),
        ("test_fscore>=.25", True),
        ("test_fscore=0.250", True),
        # What has no value is neither above nor below.
        ("seconds<1", False),
        ("seconds>=0", False),
        ("seconds=0", False),
        ("seconds!=0", True),
        ("val_loss<9", False),
        ("genre<9", False),
        ("movie and not comedy", True),
        ("not movie or base", True),
        ("not (movie or base)", False),
        ("not not movie", True),
        ("comedy movie or base", True),
        ("base or comedy movie", True),
        ("comedy (movie or base)", False),
    ],
)
def test_what_a_filter_selects(text: str, selects: bool) -> None:
    assert parse(text, ["base", "fc-1024[x]64"]).matches(RUN) == selects
