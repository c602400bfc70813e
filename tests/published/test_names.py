"""What the file names of 2017 say."""

from __future__ import annotations

import pytest

from postertui.published.log_names import LogName, parse_name
from postertui.published.unreadable import UnreadableLogError

HOME = "L1=1e-5"


@pytest.mark.parametrize(
    ("name", "genre", "family", "label", "sizes"),
    [
        ("model-1-256-256-history.txt", "Comedy", "base", HOME, (256, 256)),
        ("model-0-1024-64-history.txt", "Animation", "base", HOME, (1024, 64)),
        ("model-17-256-256-l1_1_0e_04-history.txt", "Western", "regularizer L1", "L1=1e-4", None),
        ("model-4-256-256-l1_0_0e+00-history.txt", "Drama", "regularizer L1", "L1=0", None),
        ("model-4-256-256-l2_1_0e_02-history.txt", "Drama", "regularizer L2", "L2=1e-2", None),
        ("model-4-256-256-l2_2_5e+01-history.txt", "Drama", "regularizer L2", "L2=2.5e1", None),
        ("model-9-256-256-NoReg-history.txt", "Horror", "regularizer", "NoReg", None),
        ("model-9-256-256-BCE-history.txt", "Horror", "BCE loss", HOME, None),
        ("model-9-256-256-BCE-NoReg-history.txt", "Horror", "BCE loss No Reg", "NoReg", None),
        ("model-9-256-256-batch64-history.txt", "Horror", "batch64", HOME, None),
        ("model-9-256-256-batch128-history.txt", "Horror", "batch128", HOME, None),
        ("model-3-256-1024_LRS_history.txt", "Documentary", "LR decay", HOME, (256, 1024)),
        ("model-3-256-64_RLROP_history.txt", "Documentary", "Reduce LR on Plateau", HOME, None),
        ("anima_RLROP_100_history.txt", "Animation", "100 epochs Reduce LR on Plateau", HOME, None),
        ("comedy_RLROP_100_history.txt", "Comedy", "100 epochs Reduce LR on Plateau", HOME, None),
        ("drama_RLROP_100_history.txt", "Drama", "100 epochs Reduce LR on Plateau", HOME, None),
        ("scratch_model-13-256-256-history.txt", "Science_Fiction", "scratch", HOME, None),
        (
            "model-14-VGG16-pretrain-16-history.txt",
            "TV_Movie",
            "VGG w/16 frozen layers",
            HOME,
            None,
        ),
        ("model-1-VGG16-pretrain-17-history.txt", "Comedy", "VGG w/17 frozen layers", HOME, None),
    ],
)
def test_every_rule(
    name: str, genre: str, family: str, label: str, sizes: tuple[int, int] | None
) -> None:
    parsed = parse_name(name)
    assert (parsed.genre, parsed.family, parsed.regularizer, parsed.more) == (
        genre,
        family,
        label,
        "",
    )
    if sizes:
        assert (parsed.fc1, parsed.fc2) == sizes


@pytest.mark.parametrize(
    "name",
    [
        "model-1-256-256-2-history.txt",
        "model-1-256-256-again-history.txt",
        "model-1-256-256_2_history.txt",
    ],
)
def test_a_repeated_run_is_of_the_same_setting(name: str) -> None:
    parsed = parse_name(name)
    assert parsed.more
    assert parsed == LogName("Comedy", "base", HOME, 256, 256, more=parsed.more)
    regularized = parse_name(f"model-1-256-256-l2_1_0e_05-{parsed.more}-history.txt")
    assert (regularized.regularizer, regularized.more) == ("L2=1e-5", parsed.more)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("notes.txt", "none of the rules"),
        ("model-1-256-256.txt", "none of the rules"),
        ("model-18-256-256-history.txt", "genre 18"),
        ("model-1-0-256-history.txt", "0 units"),
        ("model-1-99999999999999999999-256-history.txt", "units"),
        ("model-1-256-256-l1_lots-history.txt", "`lots` is not a value"),
        ("model-1-256-256-l3_1_0e_05-history.txt", "`l3_1`"),
        ("model-1-256-256-NoReg-BCE-history.txt", "`BCE`"),
        ("model-1-256-256-batch32-history.txt", "`batch3`"),
        ("model-1-256-256-noreg-history.txt", "`noreg`"),
        ("model-1-VGG16-pretrain-40-history.txt", "40 frozen layers"),
        ("scratch_model-1-256-256-BCE-history.txt", "scratch"),
    ],
)
def test_a_name_that_fits_no_rule_says_why(name: str, reason: str) -> None:
    with pytest.raises(UnreadableLogError, match=reason):
        parse_name(name)
