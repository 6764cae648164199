"""The figure of where the captioner looked: the weights that it draws, and what the drawing shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igsearch import api, images
from igsearch.captioner.attention import GAP, MARGIN, PANELS_A_ROW, TITLE_HEIGHT, Look, figure, lit, panel_size, write
from igsearch.captioner.captioner import Captioner
from igsearch.errors import UsageError


def look(word: str, row: int, column: int, side: int = 9) -> Look:
    """A word that looked at one cell of the grid, and hardly anywhere else."""
    weights = np.full((side, side), 0.2 / (side * side - 1), dtype=np.float32)
    weights[row, column] = 0.8
    return Look(word, weights)


def brightness(image: Image.Image, row: int, column: int, side: int = 9) -> float:
    """The mean of one cell of a grid laid over the picture, 0…255."""
    width, height = image.size
    cell = (column * width // side, row * height // side, (column + 1) * width // side, (row + 1) * height // side)
    return float(np.asarray(image.crop(cell).convert("L")).mean())


@pytest.mark.parametrize("shade", [0, 60, 255], ids=["night", "dusk", "snow"])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 7), (8, 4)])
def test_the_cell_that_was_looked_at_is_the_brightest(shade: int, row: int, column: int) -> None:
    """Whatever the photo's own brightness, the strongest cell outshines all others, and the far ones are dark."""
    shown = lit(Image.new("RGB", (340, 240), (shade, shade, shade)), look("dog", row, column).weights)
    cells = {(r, c): brightness(shown, r, c) for r in range(9) for c in range(9)}
    assert max(cells, key=cells.__getitem__) == (row, column)
    far = [value for (r, c), value in cells.items() if abs(r - row) > 2 or abs(c - column) > 2]
    assert max(far) < 0.5 * cells[row, column]


def test_even_attention_hides_nothing() -> None:
    """A word that looked everywhere alike shows the whole photo alike: nothing is divided by nothing."""
    for value in (0.0, 1 / 81):
        shown = np.asarray(lit(Image.new("RGB", (90, 90), (80, 120, 160)), np.full((9, 9), value, dtype=np.float32)))
        assert np.ptp(shown.reshape(-1, 3), axis=0).max() <= 1


@pytest.mark.parametrize(("n_words", "columns", "rows"), [(0, 1, 1), (1, 2, 1), (4, 5, 1), (5, 3, 2), (10, 4, 3), (14, 5, 3), (50, 5, 11)])
def test_there_is_a_panel_a_word_after_the_photo(n_words: int, columns: int, rows: int) -> None:
    """Rows are evenly filled, no longer than five, on white; where there is no panel there is paper."""
    page = figure(Image.new("RGB", (600, 400), (200, 30, 30)), [look("word", 4, 4)] * n_words)
    width, height = panel_size((600, 400))
    step_x, step_y = width + GAP, height + TITLE_HEIGHT + GAP
    assert columns <= PANELS_A_ROW
    assert page.size == (2 * MARGIN + columns * step_x - GAP, 2 * MARGIN + rows * step_y - GAP)
    corners = [page.getpixel((MARGIN + place % columns * step_x + 2, MARGIN + place // columns * step_y + 2)) for place in range(columns * rows)]
    assert [corner != (255, 255, 255) for corner in corners] == [place <= n_words for place in range(columns * rows)]
    assert corners[0] == (200, 30, 30)


def test_each_word_stands_under_its_panel() -> None:
    """There is ink under every panel but the photo's."""
    page = np.asarray(figure(Image.new("RGB", (400, 400), "black"), [look("dog", 1, 1), look("runs", 7, 7)]).convert("L"))
    width, height = panel_size((400, 400))
    titles = [page[MARGIN + height : MARGIN + height + TITLE_HEIGHT, MARGIN + place * (width + GAP) :][:, :width] for place in range(3)]
    assert [bool((title < 128).any()) for title in titles] == [False, True, True]


@pytest.mark.parametrize("size", [(4000, 80), (80, 4000), (1, 1)])
def test_odd_shapes_are_drawn(size: tuple[int, int]) -> None:
    """A strip is squeezed rather than left without room for words."""
    width, height = panel_size(size)
    assert min(width, height) >= 120
    assert max(width, height) == 340
    assert figure(Image.new("RGB", size), [look("dog", 0, 0)]).width > 2 * width


def test_the_captioner_shows_where_it_looked(sample_photos: Path) -> None:
    """Word for word the caption, each with non-negative attention that sums to 1, and not the same for all words."""
    captioner = Captioner(device="cpu", precision="float32")
    pixels = captioner.prepare(images.decode((sample_photos / "rocket.jpg").read_bytes()))
    looks = captioner.attend(pixels)
    assert " ".join(one.word for one in looks) == captioner.describe([pixels])[0].caption
    assert all(one.weights.ndim == 2 and one.weights.min() >= 0 and one.weights.sum() == pytest.approx(1, abs=1e-3) for one in looks)
    assert not np.allclose(looks[0].weights, looks[-1].weights, atol=1e-3)


def test_an_attention_map_follows_the_photo(sample_photos: Path) -> None:
    """Where only the left half of a picture shows anything, words look left; mirrored, they look right."""
    captioner = Captioner(device="cpu", precision="float32")
    cat = images.decode((sample_photos / "cat.jpg").read_bytes()).resize((300, 600))
    left = []
    for place in (0, 300):
        page = Image.new("RGB", (600, 600), "white")
        page.paste(cat, (place, 0))
        weights = np.mean([one.weights for one in captioner.attend(captioner.prepare(page))], axis=0)
        left.append(float(weights[:, : weights.shape[1] // 2].sum() / weights.sum()))
    assert left[0] > 0.5 > left[1]


def test_only_what_attends_to_a_grid_can_be_drawn(tmp_path: Path, sample_photos: Path) -> None:
    """A captioner of Hugging Face is refused by name, before it is loaded, and nothing is written."""
    with pytest.raises(UsageError, match=r"hf:someone/model: leave --captioner out"):
        api.draw_attention(sample_photos / "cat.jpg", tmp_path / "out.png", api.CaptionerOptions("hf:someone/model", device="cpu"))
    assert not (tmp_path / "out.png").exists()


def test_a_figure_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A PNG that replaces what was there; where nothing can be written, one line and no partial file."""
    page = Image.new("RGB", (10, 10))
    (tmp_path / "out.png").write_text("older")
    write(page, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as written:
        assert (written.format, written.size) == ("PNG", (10, 10))
    (tmp_path / "folder.png").mkdir()
    for place in (tmp_path / "nowhere" / "out.png", tmp_path / "folder.png"):
        with pytest.raises(UsageError, match="cannot write --attention"):
            write(page, place)
    assert {file.name for file in tmp_path.iterdir()} == {"out.png", "folder.png"}
