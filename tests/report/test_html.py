"""The HTML file as a parser sees it: whole, escaped, self-contained, structured."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from postertui.report.page.content import PageFigure
from postertui.report.page.files import write_page
from postertui.report.page.html import render_html
from postertui.report.page.images import embed
from postertui.system.errors import UserError
from tests.support.pages import NASTY, figures, make_page

_VOID = {"meta", "link", "img", "br", "input"}


class Outline(HTMLParser):
    """Tags with their attributes and text; fails where they do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        self.texts.setdefault(tag, []).append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data

    def attributes(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for name, attributes in self.tags if name == tag)


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    return render_html(make_page(tmp_path_factory.mktemp("page")))


@pytest.fixture(scope="module")
def outline(html: str) -> Outline:
    return Outline(html)


def test_nothing_is_loaded_from_anywhere(html: str, outline: Outline) -> None:
    for _, attributes in outline.tags:
        for key in ("src", "href", "action", "data", "srcset"):
            assert re.match(r"#|data:|$", attributes.get(key, "")), attributes
    assert not re.search(r"url\(|@import|https?://", html)


def test_names_from_the_table_are_text(html: str, outline: Outline) -> None:
    assert NASTY not in html
    assert "<b>" not in html
    assert len(list(outline.attributes("script"))) == 1
    assert any(NASTY in cell for cell in outline.texts["td"])
    assert NASTY in outline.texts["h1"][0]
    assert not any(key.startswith("on") for _, attributes in outline.tags for key in attributes)


def test_the_policy_allows_this_script_and_style_only(outline: Outline) -> None:
    (policy,) = [
        a["content"]
        for a in outline.attributes("meta")
        if a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (text,) = outline.texts[tag]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_headings_captions_and_texts_for_images(outline: Outline) -> None:
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    tables = len(list(outline.attributes("table")))
    assert len([text for text in outline.texts["caption"] if text.strip()]) == tables
    assert all(a.get("scope") == "col" for a in outline.attributes("th"))
    assert all(a["alt"] for a in outline.attributes("img"))
    ids = [a["id"] for _, a in outline.tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = [a["href"][1:] for a in outline.attributes("a")]
    assert set(links) <= set(ids)


def test_the_same_table_gives_the_same_bytes(tmp_path: Path, html: str) -> None:
    assert render_html(make_page(tmp_path)) == html


def test_figures_are_embedded_pixel_by_pixel(tmp_path: Path) -> None:
    for figure in figures(tmp_path):
        embedded = embed(figure.image)
        data = base64.b64decode(embedded.address.removeprefix("data:image/webp;base64,"))
        with Image.open(io.BytesIO(data)) as image, Image.open(figure.image) as drawn:
            paper = Image.new("RGBA", drawn.size, "white")
            paper.alpha_composite(drawn)
            assert image.convert("RGB").tobytes() == paper.convert("RGB").tobytes()
            assert image.size == (embedded.width, embedded.height)


def test_a_figure_is_encoded_once_and_again_after_it_or_what_is_kept_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[str] = []
    save = Image.Image.save

    def count(image: Image.Image, target: object, kind: str, **options: object) -> None:
        encoded.append(kind)
        save(image, target, kind, **options)  # type: ignore[arg-type]

    path = tmp_path / "figure.png"
    Image.new("RGB", (30, 20), "red").save(path)
    monkeypatch.setattr(Image.Image, "save", count)
    first = embed(path)
    assert embed(path) == first
    assert encoded == ["WEBP"]
    [kept] = tmp_path.glob(".*")
    kept.write_bytes(kept.read_bytes()[:-5] + b"wrong")
    assert embed(path) == first
    Image.new("RGB", (10, 20), "blue").save(path, "PNG")
    assert embed(path).width == 10
    assert encoded == ["WEBP", "WEBP", "PNG", "WEBP"]


def test_svg_is_embedded_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    address = embed(tmp_path / "a.svg").address
    assert base64.b64decode(address.partition(",")[2]) == (tmp_path / "a.svg").read_bytes()


def test_a_damaged_figure_is_named_and_no_file_is_left(tmp_path: Path) -> None:
    page = make_page(tmp_path / "figures")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 50)
    figure = PageFigure("broken", "broken", broken, broken.with_suffix(".csv"))
    wrong = type(page)(
        page.title, page.subtitle, page.summary, [figure], page.chapters, page.provenance
    )
    out = tmp_path / "out"
    with pytest.raises(UserError, match=r"broken\.png") as error:
        write_page(wrong, out)
    assert error.value.exit_code == 1
    assert list(out.iterdir()) == []


def test_both_files_are_written(tmp_path: Path) -> None:
    paths = write_page(make_page(tmp_path / "figures"), tmp_path / "out")
    assert [p.name for p in paths] == ["index.html", "report.md"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["index.html", "report.md"]
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        write_page(make_page(tmp_path / "figures"), tmp_path / "file")
