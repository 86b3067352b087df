"""The drawing of the state machine has all of the table, and nothing covers anything."""

from __future__ import annotations

import itertools
import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from docs import state_machine as drawing
from docs.state_machine import ARROWS, FRAME, FRAMED, PLACES, STOP, Arrow, Box, Point
from trio_stream.retry import TRANSITIONS, Phase, Signal

SVG = "{http://www.w3.org/2000/svg}"

WORDS = {
    **{
        ARROWS[ends]: [signal.value for signal in signals]
        for ends, signals in drawing.signals_between(TRANSITIONS).items()
    },
    STOP: ["stop"],
}


def written(table: drawing.Table = TRANSITIONS) -> list[str]:
    """Every text of a drawing."""
    return [element.text or "" for element in ET.fromstring(drawing.draw(table)).iter(SVG + "text")]


def changed(phase: Phase, **row: Phase | None) -> dict[Phase, dict[Signal, Phase]]:
    """The table with a row that has other signals, or fewer."""
    table = {key: dict(value) for key, value in TRANSITIONS.items()}
    for name, after in row.items():
        if after is None:
            del table[phase][Signal[name]]
        else:
            table[phase][Signal[name]] = after
    return table


def overlap(one: Box, other: Box) -> bool:
    return (
        one.left < other.right
        and other.left < one.right
        and one.top < other.bottom
        and other.top < one.bottom
    )


def inside(one: Box, other: Box) -> bool:
    return (
        other.left <= one.left
        and one.right <= other.right
        and other.top <= one.top
        and one.bottom <= other.bottom
    )


def pieces(arrow: Arrow) -> list[Box]:
    """The straight pieces of a line, each as a thin box."""
    return [
        Box(min(a.x, b.x) - 1, min(a.y, b.y) - 1, max(a.x, b.x) + 1, max(a.y, b.y) + 1)
        for a, b in itertools.pairwise(arrow.line)
    ]


def is_on_edge(point: Point, box: Box) -> bool:
    across, down = box.left <= point.x <= box.right, box.top <= point.y <= box.bottom
    return (point.x in {box.left, box.right} and down) or (
        point.y in {box.top, box.bottom} and across
    )


def test_every_phase_and_signal_is_drawn() -> None:
    """The drawing has the name of each phase once, and each signal as often as it has an arrow."""
    texts = written()

    assert [texts.count(phase.name) for phase in Phase] == [1] * len(Phase)
    for signal in set(Signal) - {Signal.STOP}:
        assert texts.count(signal.value) == sum(signal in row for row in TRANSITIONS.values())
    assert texts.count("stop") == 2  # of all inside of the frame, and of the end


def test_drawing_says_where_each_signal_leads() -> None:
    """Each arrow begins at the phase that it leads from, and ends at the one that it leads to."""
    for (before, after), arrow in ARROWS.items():
        assert is_on_edge(arrow.line[0], drawing.box_of(before))
        assert is_on_edge(arrow.line[-1], drawing.box_of(after))
    assert is_on_edge(STOP.line[0], FRAME)
    assert is_on_edge(STOP.line[-1], drawing.box_of(Phase.ENDED))
    assert is_on_edge(drawing.START.line[-1], drawing.box_of(Phase.CONNECTING))


def test_phase_without_a_place_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A phase that the drawing does not know is named."""
    monkeypatch.delitem(PLACES, Phase.WAITING)

    with pytest.raises(ValueError, match="no place for: waiting"):
        drawing.draw()


def test_place_without_a_phase_is_an_error() -> None:
    """So is a place for a phase that is no more."""
    table = {phase: row for phase, row in TRANSITIONS.items() if phase is not Phase.WAITING}

    with pytest.raises(ValueError, match="no phase: waiting"):
        drawing.draw(table)


def test_transition_without_an_arrow_is_an_error() -> None:
    """A transition between phases that no arrow joins is named."""
    with pytest.raises(ValueError, match="no arrow for: waiting → streaming"):
        drawing.draw(changed(Phase.WAITING, COMMITTED=Phase.STREAMING))


def test_arrow_without_a_transition_is_an_error() -> None:
    """So is an arrow for transitions that are no more."""
    with pytest.raises(ValueError, match="no transition: open → interrupted"):
        drawing.draw(changed(Phase.OPEN, RESUME=None))


def test_transition_along_an_arrow_is_drawn() -> None:
    """One more signal between the same phases is one more word at their arrow."""
    table = changed(Phase.OPEN, RESTART=Phase.INTERRUPTED)

    assert written(table).count("restart") == written().count("restart") + 1


@pytest.mark.parametrize("after", [None, Phase.WAITING])
def test_frame_tells_the_truth(after: Phase | None) -> None:
    """A phase inside of the frame that cannot be stopped is an error: the frame says it can."""
    with pytest.raises(ValueError, match="the frame says that streaming can be stopped"):
        drawing.draw(changed(Phase.STREAMING, STOP=after))


def test_nothing_covers_anything() -> None:
    """No phase, word or line lies over another phase or word, and all is inside of the picture."""
    picture = Box(0, 0, drawing.WIDTH, drawing.HEIGHT)
    boxes = [drawing.box_of(phase) for phase in Phase]
    words = [drawing.box_of_words(arrow, lines) for arrow, lines in WORDS.items()]
    words += [drawing.box_of_words(Arrow((), at, "start"), [text]) for at, text in drawing.CAPTIONS]
    lines = [piece for arrow in (*WORDS, drawing.START) for piece in pieces(arrow)]

    assert not [pair for pair in itertools.combinations(boxes + words, 2) if overlap(*pair)]
    assert not [pair for pair in itertools.product(words, lines) if overlap(*pair)]
    # A line touches the edges of the phases that it joins, and goes through none.
    inner = [Box(box.left + 2, box.top + 2, box.right - 2, box.bottom - 2) for box in boxes]
    assert not [pair for pair in itertools.product(inner, lines) if overlap(*pair)]
    assert all(inside(each, picture) for each in boxes + words + lines)
    assert all(inside(drawing.box_of(phase), FRAME) for phase in FRAMED)
    assert not overlap(drawing.box_of(Phase.ENDED), FRAME)


def test_lines_do_not_cross() -> None:
    """No two arrows meet."""
    for one, other in itertools.combinations((*WORDS, drawing.START), 2):
        assert not [
            pair for pair in itertools.product(pieces(one), pieces(other)) if overlap(*pair)
        ]


def test_words_fit_into_their_phases() -> None:
    """The name of a phase is not wider than its box."""
    for phase in Phase:
        box = drawing.box_of(phase)
        # Capitals are wider than the letters of which `LETTER` speaks.
        assert len(phase.name) * drawing.LETTER * 1.35 < box.right - box.left


def test_file_is_written_once(tmp_path: Path) -> None:
    """The file is made with its folder, and left alone while the table is the same."""
    path = tmp_path / "_generated" / "phases.svg"
    drawing.write(path)
    assert path.read_text(encoding="utf-8") == drawing.draw()

    os.utime(path, (0, 0))
    drawing.write(path)
    assert path.stat().st_mtime == 0

    path.write_text("old", encoding="utf-8")
    drawing.write(path)
    assert path.read_text(encoding="utf-8") == drawing.draw()
