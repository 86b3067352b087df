"""The life of a stream, drawn: an SVG made of the table that the code itself runs by.

`conf.py` has it written before the pages are read. Where each phase stands, and how each arrow
runs, is written down here; what arrows there are, and what they are called, is read from
`trio_stream.retry.TRANSITIONS`. Whatever of the table has no place here is an error, and so is a
place here for something that is not in the table: the drawing cannot fall behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Literal, NamedTuple

from trio_stream.retry import TRANSITIONS, Phase, Signal

WIDTH, HEIGHT = 920, 450
BOX_WIDTH, BOX_HEIGHT = 150, 48
FONT_SIZE = 13
# A letter of bold 13-point Helvetica is about so wide.
LETTER = 7.4

Table = Mapping[Phase, Mapping[Signal, Phase]]


class Point(NamedTuple):
    """Where something is, from the upper left corner."""

    x: float
    y: float


class Box(NamedTuple):
    """A rectangle by its edges."""

    left: float
    top: float
    right: float
    bottom: float


class Arrow(NamedTuple):
    """An arrow: the corners of its line, and the place of its first word.

    Words stand behind that place, before it, or about it, as SVG's ``text-anchor`` has it.
    """

    line: tuple[Point, ...]
    words: Point
    anchor: Literal["start", "middle", "end"] = "middle"


# The middle of each phase.
PLACES: dict[Phase, Point] = {
    Phase.WAITING: Point(115, 130),
    Phase.CONNECTING: Point(375, 130),
    Phase.OPEN: Point(635, 130),
    Phase.RECONNECTING: Point(115, 320),
    Phase.INTERRUPTED: Point(375, 320),
    Phase.STREAMING: Point(635, 320),
    Phase.ENDED: Point(850, 225),
}
# From everything inside of the frame, one arrow leads to the end.
FRAME = Box(16, 40, 734, 410)
FRAMED = set(PLACES) - {Phase.ENDED}
STOP = Arrow((Point(734, 225), Point(800, 225)), Point(765, 217))
# Where a stream begins.
START = Arrow((Point(330, 192), Point(330, 154)), Point(330, 192))

ARROWS: dict[tuple[Phase, Phase], Arrow] = {
    (Phase.WAITING, Phase.CONNECTING): Arrow((Point(190, 120), Point(300, 120)), Point(245, 112)),
    (Phase.CONNECTING, Phase.WAITING): Arrow((Point(300, 140), Point(190, 140)), Point(245, 157)),
    (Phase.CONNECTING, Phase.OPEN): Arrow((Point(450, 130), Point(560, 130)), Point(505, 122)),
    (Phase.OPEN, Phase.WAITING): Arrow(
        (Point(635, 106), Point(635, 76), Point(115, 76), Point(115, 106)), Point(375, 68)
    ),
    (Phase.OPEN, Phase.STREAMING): Arrow(
        (Point(665, 154), Point(665, 296)), Point(657, 252), "end"
    ),
    (Phase.OPEN, Phase.INTERRUPTED): Arrow(
        (Point(590, 154), Point(590, 205), Point(375, 205), Point(375, 296)), Point(482, 197)
    ),
    (Phase.STREAMING, Phase.INTERRUPTED): Arrow(
        (Point(560, 320), Point(450, 320)), Point(505, 294)
    ),
    (Phase.INTERRUPTED, Phase.RECONNECTING): Arrow(
        (Point(300, 310), Point(190, 310)), Point(245, 302)
    ),
    (Phase.RECONNECTING, Phase.INTERRUPTED): Arrow(
        (Point(190, 330), Point(300, 330)), Point(245, 347)
    ),
    (Phase.RECONNECTING, Phase.STREAMING): Arrow(
        (Point(115, 344), Point(115, 386), Point(635, 386), Point(635, 344)), Point(375, 378)
    ),
    (Phase.ENDED, Phase.ENDED): Arrow(
        (Point(830, 201), Point(830, 175), Point(870, 175), Point(870, 201)), Point(850, 167)
    ),
}
CAPTIONS = [
    (Point(30, 34), "while nothing was delivered, an attempt can be repeated and nobody knows"),
    (Point(30, 432), "from the first item on, a stream goes on, begins anew and says so, or ends"),
]

INK, WORDS, CAPTION, EDGE = "#0f172a", "#0f766e", "#475569", "#334155"


def signals_between(table: Table) -> dict[tuple[Phase, Phase], list[Signal]]:
    """The signals of each arrow, without those from the frame to the end.

    Raises:
        ValueError: Not everything inside of the frame can be stopped.
    """
    arrows: dict[tuple[Phase, Phase], list[Signal]] = {}
    for phase, row in table.items():
        if phase in FRAMED and row.get(Signal.STOP) is not Phase.ENDED:
            raise ValueError(f"the frame says that {phase.value} can be stopped")
        for signal, after in row.items():
            if phase in FRAMED and (signal, after) == (Signal.STOP, Phase.ENDED):
                continue
            arrows.setdefault((phase, after), []).append(signal)
    return arrows


def name_of(arrow: tuple[Phase, Phase]) -> str:
    """How errors call an arrow."""
    return f"{arrow[0].value} → {arrow[1].value}"


def draw(table: Table = TRANSITIONS) -> str:
    """Return the drawing of a table.

    Raises:
        ValueError: A phase or an arrow of the table has no place in the drawing, or the other way
            round; the message names them.
    """
    arrows = signals_between(table)
    for what, missing in {
        "no place for": [phase.value for phase in table if phase not in PLACES],
        "no phase": [phase.value for phase in PLACES if phase not in table],
        "no arrow for": [name_of(arrow) for arrow in arrows if arrow not in ARROWS],
        "no transition": [name_of(arrow) for arrow in ARROWS if arrow not in arrows],
    }.items():
        if missing:
            raise ValueError(f"{what}: {', '.join(missing)}")
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    font = 'font-family="Helvetica, Arial, sans-serif"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} {font}>',
        "<title>The phases of a stream, and what leads from one to another</title>",
        # A ground of its own, so that it reads the same on a dark page.
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>',
        _rectangle(FRAME, 'fill="#f8fafc" stroke="#64748b" stroke-dasharray="6 4"'),
        *(_text([text], at, "start", CAPTION, bold=False) for at, text in CAPTIONS),
        *_arrow(STOP, [Signal.STOP.value]),
        f'<circle cx="{START.line[0].x:g}" cy="{START.line[0].y:g}" r="5" fill="{EDGE}"/>',
        *_arrow(START, []),
    ]
    for places, signals in arrows.items():
        parts += _arrow(ARROWS[places], [signal.value for signal in signals])
    for phase in table:
        parts.append(_rectangle(box_of(phase), f'fill="{_fill(phase)}" stroke="{EDGE}"'))
        middle = PLACES[phase]
        parts.append(_text([phase.name], Point(middle.x, middle.y + 5), "middle", INK))
    return "\n".join([*parts, "</svg>", ""])


def write(path: Path) -> None:
    """Write the drawing, if the file does not have it yet."""
    text = draw()
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def box_of(phase: Phase) -> Box:
    """Where the rectangle of a phase is."""
    x, y = PLACES[phase]
    width = BOX_WIDTH if phase in FRAMED else 100
    return Box(x - width / 2, y - BOX_HEIGHT / 2, x + width / 2, y + BOX_HEIGHT / 2)


def box_of_words(arrow: Arrow, lines: list[str]) -> Box:
    """About where the words of an arrow are."""
    width = LETTER * max(map(len, lines))
    left = arrow.words.x - {"start": 0, "middle": width / 2, "end": width}[arrow.anchor]
    top = arrow.words.y - FONT_SIZE + 3
    return Box(left, top, left + width, top + 16 * (len(lines) - 1) + FONT_SIZE)


def _fill(phase: Phase) -> str:
    if phase is Phase.ENDED:
        return "#e2e8f0"
    return "#fef9c3" if PLACES[phase].y < PLACES[Phase.ENDED].y else "#d1fae5"


def _rectangle(box: Box, style: str) -> str:
    left, top, right, bottom = box
    size = f'width="{right - left:g}" height="{bottom - top:g}"'
    return f'<rect x="{left:g}" y="{top:g}" {size} rx="6" stroke-width="1.5" {style}/>'


def _text(lines: list[str], at: Point, anchor: str, fill: str, *, bold: bool = True) -> str:
    style = f'font-size="{FONT_SIZE}" text-anchor="{anchor}" fill="{fill}"'
    if bold:
        style += ' font-weight="bold"'
    return "\n".join(
        f'<text x="{at.x:g}" y="{at.y + 16 * row:g}" {style}>{escape(line)}</text>'
        for row, line in enumerate(lines)
    )


def _arrow(arrow: Arrow, lines: list[str]) -> list[str]:
    """The line, the head, and the words."""
    before, tip = arrow.line[-2:]
    way = Point((tip.x > before.x) - (tip.x < before.x), (tip.y > before.y) - (tip.y < before.y))
    neck = Point(tip.x - 10 * way.x, tip.y - 10 * way.y)
    corners = " L".join(f"{point.x:g} {point.y:g}" for point in (*arrow.line[:-1], neck))
    # The head is as wide to both sides of the way.
    sides = [Point(neck.x + side * way.y, neck.y + side * way.x) for side in (-5, 5)]
    head = " L".join(f"{point.x:g} {point.y:g}" for point in (sides[0], tip, sides[1]))
    return [
        f'<path d="M{corners}" stroke="{EDGE}" stroke-width="1.5" fill="none"/>',
        f'<path d="M{head} Z" fill="{EDGE}"/>',
        _text(lines, arrow.words, arrow.anchor, WORDS),
    ]
