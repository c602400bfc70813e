"""How the columns of a table share the width of a terminal, so that no word or number breaks."""

from __future__ import annotations

from collections.abc import Sequence

#: Blanks between two columns.
GAP = 2


def column_blocks(natural: Sequence[int], least: Sequence[int], width: int) -> list[list[int]]:
    """The columns that stand beside each other, by number, as R and pandas print wide tables.

    One block where all columns fit by breaking lines between words; else each block begins with
    the first column and has as many of the others as fit.

    Parameters
    ----------
    natural
        By column the width in which nothing breaks.
    least
        By column the width of its longest word.
    width
        Of the terminal, in columns.
    """
    every = list(range(len(natural)))
    if sum(least) + GAP * (len(least) - 1) <= width:
        return [every]
    blocks: list[list[int]] = []
    used = 0
    for column in every[1:]:
        room = width - least[0] - GAP
        needed = GAP + max(1, min(max(natural[column], least[column]), room))
        if not blocks or used + needed > width:
            blocks.append([0])
            used = natural[0]
        blocks[-1].append(column)
        used += needed
    return blocks or [every]


def fitted_widths(natural: Sequence[int], least: Sequence[int], width: int) -> list[int]:
    """The columns' widths within `width`: of the widest as much less as is too much.

    No column gets narrower than its `least` width, as long as another is wider than its own.
    """
    widths = list(natural)
    excess = sum(widths) + GAP * (len(widths) - 1) - width
    for floors in (least, [1] * len(widths)):
        while excess > 0:
            wide = [i for i, w in enumerate(widths) if w > floors[i]]
            if not wide:
                break
            widths[max(wide, key=lambda i: widths[i])] -= 1
            excess -= 1
    return widths
