"""Genres in any script: a font that has the letters is found, or one line says what to install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image

from postertui.figures.fonts import FONT, choose_fonts, describe_missing

HEADER = "Regularizer,FC1,FC2,genre,variant,epoch,test_fscore,train_fscore\n"


def write_font(path: Path, letters: str) -> None:
    """A font whose letters are bars, each of another height."""
    names = {ord(letter): f"g{ord(letter):x}" for letter in letters}
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", *names.values()])
    builder.setupCharacterMap(names)
    glyphs = {}
    for place, name in enumerate([".notdef", *names.values()]):
        pen = TTGlyphPen(None)
        height = 100 + 800 * place // (len(names) + 1)
        pen.moveTo((100, 0))
        for point in ((100, height), (900, height), (900, 0)):
            pen.lineTo(point)
        pen.closePath()
        glyphs[name] = pen.glyph()
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 100)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": "Made Up Script", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=900, usWinAscent=900, usWinDescent=100)
    builder.setupPost()
    path.parent.mkdir(parents=True)
    builder.save(path)


def report(folder: Path, genre: str, home: Path) -> tuple[str, np.ndarray]:
    """What `report` says of a table of one genre, and its figure's pixels."""
    folder.mkdir()
    rows = [
        f'{label},256,256,"{genre}",{family},{epoch},0.{epoch + plus},0.{epoch}\n'
        for label, family, plus in (("L1=1e-5", "base", 1), ("NoReg", "regularizer", 3))
        for epoch in range(1, 5)
    ]
    (folder / "t.csv").write_text(HEADER + "".join(rows))
    environment = {
        **os.environ, "XDG_DATA_HOME": str(home), "MPLCONFIGDIR": str(folder / "mpl"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "postertui", "report", "--from", folder / "t.csv", "--compare",
         "Regularizer", "--out", folder / "out"],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [png] = (folder / "out").glob("*.png")
    return done.stdout + done.stderr, np.asarray(Image.open(png))


def test_the_default_font_does_for_what_it_has() -> None:
    assert choose_fonts(["Comedy", "Kömödié", "Комедия", "Κωμωδία"]).families == (FONT,)


def test_what_is_missing_is_said_with_a_package() -> None:
    line = describe_missing("剧情", ["剧情", "Drama", "情"])
    assert line == (
        "no installed font has the letters 剧情 of `剧情`, `情`; install one, such as the package "
        "fonts-noto-cjk"
    )


@pytest.mark.slow
def test_an_installed_font_is_used_for_its_letters(tmp_path: Path) -> None:
    letters = "\ue901\ue902"  # of a private area, where no other font has any
    write_font(tmp_path / "home" / "fonts" / "made.ttf", letters)
    first = report(tmp_path / "a", letters[0] * 2, tmp_path / "home")
    second = report(tmp_path / "b", letters[1] * 2, tmp_path / "home")
    assert "no installed font" not in first[0] + second[0]
    assert not np.array_equal(first[1], second[1])
    without = report(tmp_path / "c", letters[0] * 2, tmp_path / "empty")
    assert without[0].count("no installed font has the letters") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "genre", ["喜" * 40, "x" * 500, "a " * 200, "दस्तावेज़ी", "דרמה", "🎬 Film", "$x_1$", "%s {0}"]
)
def test_no_name_is_an_exception(genre: str, tmp_path: Path) -> None:
    report(tmp_path / "a", genre, tmp_path / "empty")
