"""What is visible when: the rules of the room, one by one, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.partial_json.reference import NOTHING, look
from tests.partial_json.texts import cut, parsed, same, value_of
from trio_stream.partial_json import PartialJSON, PartialJSONError

VALID = [
    *("0", "-0", "12", " 12 ", "-1.5", "1e5", "1E-5", "1.25e+10", "0e0", "-0.0", "1e999", "-1e999"),
    *("true", "false", "null", " null\n", '""', '" "', '"a"', '"\x7f"', '"\u2028\ufeff"', '"😀"'),
    *(r'"\"\\\/\b\f\n\r\t"', r'"\u0041\u00E9"', r'"\ud83d\ude00"', r'"\ud83d"', r'"\ude00\ud83d"'),
    *(r'"\\ud83d"', r'"\\\ud83d"', r'"\ud83d\u0041"', r'"\ud83d\ud83d\ude00"', r'"\u0000"'),
    *(
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "\t[\r\n]",
        "[[]]",
        "[{}]",
        "[1]",
        "[1,2]",
        "[ 1 , 2 ]",
        "[[1],[2]]",
    ),
    *('{"a":1}', ' { "a" : 1 , "b" : [ ] } ', '{"":{}}', '{"a":{"b":{"c":null}}}', r'{"\u0061":1}'),
    *('{"a":1,"b":2,"a":3}', '{"a":[1],"a":{}}', '["a",1,true,null,-0.5,{"b":[false]}]'),
]

INVALID = [
    # The text, and the position of the first character that cannot be there.
    *(("nope", 1), ("True", 0), ("truex", 4), ("true1", 4), ("tru]", 3), ("nul ", 3), ("'a'", 0)),
    *(("NaN", 0), ("[NaN]", 1), ("Infinity", 0), ("-Infinity", 1), ("[-Infinity]", 2)),
    *(
        ("01", 1),
        ("-01", 2),
        ("00", 1),
        ("[01]", 2),
        ("+1", 0),
        (".5", 0),
        ("1.", None),
        ("1. ", 2),
    ),
    *(("1.e5", 2), ("1e", None), ("1e]", 2), ("1e+ ", 3), ("--1", 1), ("- 1", 1), ("0x1", 1)),
    *(("1_000", 1), ("٣", 0), ("1٣", 1), ("1a", 1), ("1,", 1), ("1 2", 2), ("-", None)),
    *(('"\n"', 1), ('"a\x00"', 2), ('"a\x1f"', 2), ('"\t"', 1), ('"', None), ('"a', None)),
    *(
        (r'"\x"', 2),
        (r'"\ "', 2),
        (r'"\u12G4"', 5),
        (r'"\u 123"', 3),
        (r'"\u+123"', 3),
        (r'"\U"', 2),
    ),
    *((r'"\ud83d\x"', 8), (r'"\ud83d\ud8"', 11), (r'"\ud83d\udG"', 10), ('"\\\n"', 2)),
    *(
        ('"a" "b"', 4),
        ('"a"b', 3),
        ("[1,]", 3),
        ("[,1]", 1),
        ("[1,,2]", 3),
        ("[1 2]", 3),
        ("[1}", 2),
    ),
    *(("[1", None), ("[1,", None), ("]", 0), ("[]]", 2), ("[1]x", 3), ("[1:2]", 2), ("[:]", 1)),
    *(('{"a":1,}', 7), ("{,}", 1), ("{1:2}", 1), ("{a:1}", 1), ("{'a':1}", 1), ('{"a"}', 4)),
    *(('{"a" 1}', 5), ('{"a":}', 5), ('{"a":1 "b":2}', 7), ('{"a":1]', 6), ('{"a"::1}', 5)),
    *(('{"a":1}}', 7), ('{"a":1}{', 7), ('{"a":1,"b"', None), ("{[]:1}", 1), ('{"a\n":1}', 3)),
    *(("\ufeff1", 0), ("\ufeff", 0), ("\xa01", 0), ("1\xa0", 1), ("[\u2028]", 1), ("[\x0b]", 1)),
    *(("", None), (" \n", None), ("/**/1", 0), ("[1]//", 3), ("\x00", 0), ("1\x00", 1)),
]

# What is visible of each beginning. Each text goes on where the one before it stopped.
GROWTH: list[list[tuple[str, Any]]] = [
    [("", NOTHING), (" ", NOTHING), ("{", {}), ('"a', {}), ('"', {}), (" :", {}), (" ", {})],
    [("[", []), ("[", [[]]), ("]", [[]]), (",", [[]]), ("{", [[], {}]), ("}]", [[], {}])],
    [('{"a":', {}), ('"', {"a": ""}), ("x", {"a": "x"}), ("y", {"a": "xy"}), ('"', {"a": "xy"})],
    [('{"a":', {}), ("[", {"a": []}), ("1", {"a": []}), ("2", {"a": []}), (",", {"a": [12]})],
    [('{"a":', {}), ("-1", {}), (".5", {}), ("e1", {}), (" ", {"a": -15.0}), ("}", {"a": -15.0})],
    [("12", NOTHING), ("3", NOTHING), ("\n", 123), (" ", 123)],
    [("[t", []), ("ru", []), ("e", [True]), (",fals", [True]), ("e", [True, False])],
    [('{"a":n', {}), ("ul", {}), ("l", {"a": None})],
    [("nul", NOTHING), ("l", None)],
    [('"', ""), ("a\\", "a"), ("n", "a\n"), ("\\u", "a\n"), ("00e", "a\n"), ("9", "a\né")],
    [(r'"\ud83d', ""), ("\\", ""), ("u", ""), ("d", ""), ("e0", ""), ("0", "😀"), ('"', "😀")],
    [(r'"\ud83d', ""), ("x", "\ud83dx")],
    [(r'"\ud83d', ""), ('"', "\ud83d")],
    [(r'"\ud83d', ""), ("\\", ""), ("n", "\ud83d\n")],
    [(r'"\ud83d', ""), (r"\u", ""), ("0", "\ud83d"), ("041", "\ud83dA")],
    [(r'"\ud83d', ""), (r"\ud", ""), ("8", "\ud83d"), ("3d", "\ud83d"), (r"\ude00", "\ud83d😀")],
    [(r'"\ude00', "\ude00")],
    [(r'"\\ud83d', r"\ud83d")],
    [(r'{"\ud83d', {}), (r'\ude00":', {}), ("[", {"😀": []})],
    [('{"a":1,"b":2,"a":', {"a": 1, "b": 2}), ('"', {"a": "", "b": 2})],
    [('{"a":1,"a":2', {"a": 1}), ("}", {"a": 2})],
    [('{"a":"long","a":"', {"a": ""}), ("s", {"a": "s"})],
]


@pytest.mark.parametrize("growth", GROWTH, ids=lambda growth: "".join(text for text, _ in growth))
def test_what_is_visible_when(growth: list[tuple[str, Any]]) -> None:
    """The value so far follows the rules, and the reference does, too."""
    parser = PartialJSON()
    fed = ""
    for text, expected in growth:
        parser.feed(text)
        fed += text
        assert repr(value_of(parser)) == repr(expected) == repr(look(fed).value)


@pytest.mark.parametrize("text", VALID, ids=repr)
def test_valid_text(text: str) -> None:
    """However it is cut, a valid text is what `json.loads` makes of it, and no beginning raises."""
    assert same(parsed([text]), text)
    assert same(parsed(text), text)
    assert same(parsed(["", *text, ""], looking=True), text)
    for place in range(1, len(text)):
        assert same(parsed(cut(text, [place])), text)
        beginning = PartialJSON()
        beginning.feed(text[:place])
        assert repr(value_of(beginning)) == repr(look(text[:place]).value)


@pytest.mark.parametrize(("text", "position"), INVALID, ids=repr)
def test_invalid_text(text: str, position: int | None) -> None:
    """An invalid text is refused at the character that makes it so, or at its end."""
    assert look(text).fault == position
    for pieces in ([text], list(text), *(cut(text, [place]) for place in range(1, len(text)))):
        for looking in (False, True):
            with pytest.raises(PartialJSONError) as caught:
                parsed(pieces, looking=looking)
            assert caught.value.position == (len(text) if position is None else position)
