"""The JSON border: with msgspec and without it, the same text means the same."""

from __future__ import annotations

import importlib.util
import json
import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trio_stream.dialects import _json
from trio_stream.dialects._json import parse_json, parse_strict_json

# Values that are written in an unusual way, or have no equal in other languages.
VALUES = [
    *("0", "-0", "-0.0", "0e0", "-0e-0", "1e5", "1E05", "1.0e+00", "5e-324", "1e-400", "1e400"),
    *("-1e400", "1.7976931348623158e308", "1.7976931348623159e308", "2.2250738585072011e-308"),
    *("9007199254740993", "9007199254740993.0", "9223372036854775808", "-9223372036854775809"),
    *("18446744073709551615", "18446744073709551616", "-" + "9" * 4300, "9" * 4300, "1" * 400),
    *("0." + "1" * 5000, "1" + "0" * 400 + "e-400", "1" + "0" * 5000 + "e-5000", "0e" + "9" * 30),
    *("1e" + "9" * 30, "1.00000000000000011102230246251565", "1.00000000000000011102230246251566"),
    *("NaN", "Infinity", "-Infinity", "[NaN, 1]", '{"a": -Infinity}', "true", "null", "false"),
    *(r'"\ud800"', r'"\udc00"', r'"\ud800a"', r'"\ud800\u0041"', r'"\ude00\ud83d"'),
    *(r'"\ud83d\ude00"', r'"\uD83D\uDE00"', r'"\ud800\ud800\udc00"', r'{"\udc00": 1}'),
    *('"\ud800"', '"\udc00"', '"\ud83d\ude00"', '{"\ud800": "\udfff"}', '"😀"', '"é\u2028\x7f"'),
    *(r'"\u0000\b\f\n\r\t\/\"\\"', '""', '{"": 0}', r'{"\u0061": 1, "a": 2}', '{"a": 1, "a": 2}'),
    *(" 1", "1\n", "\r\n\t [ ] ", "{ }", "[[],{}]", '{"\x7f": [{}]}'),
]
BROKEN = [
    *("", " ", "[DONE]", "-", "+1", "01", "-01", "00", "1.", ".5", "1e", "1e+", "--1", "- 1"),
    *("0x10", "1_000", "1e1_0", "１", "١", "tru", "truee", "True", "nan", "inf", "-Infinit", "-a"),
    *('"', '"\\', r'"\"', r'"\a"', r'"\x41"', r'"\u00e"', r'"\u 123"', r'"\u+123"', r'"\u00_1"'),
    *('"\n"', '"\t"', '"\x00"', '"\x1f"', '{"\x00": 1}', "'a'", '"a" "b"', '"a"\x00', '"a'),
    *("[1,]", "[,]", "[1 2]", "[", "{", "[]]", "{,}", '{"a"}', '{"a":}', '{"a":1,}', "{a:1}"),
    *(
        "{1:2}",
        "[1]//",
        "//c\n1",
        "/**/1",
        "1\x00",
        "\x0b1",
        "\x0c1",
        "\xa01",
        "\u20281",
        "\ufeff1",
    ),
    *(
        "9" * 5000,
        "-" + "9" * 4301,
        "[" * 100_000,
        '{"a":' * 100_000,
        "[" * 100_000 + "]" * 100_000,
    ),
]


def spelled(value: Any) -> str:
    """The value with all of its types: ``0``, ``0.0``, ``-0.0`` and ``False`` are not the same."""
    return repr(value)


def outcome(parse: Any, text: str) -> str:
    try:
        return spelled(parse(text))
    except (ValueError, RecursionError):
        return "refused"


def refuse_constant(name: str) -> None:
    raise ValueError(name)


def strict_loads(text: str) -> Any:
    return json.loads(text, parse_constant=refuse_constant)


def problem(text: str) -> str:
    """What is wrong with a text, in the words of `json`."""
    try:
        json.JSONDecoder().decode(text)
    except ValueError as error:
        return str(error)
    except RecursionError:
        return "nested too deeply"
    raise AssertionError(text)


def check(text: str) -> None:
    assert outcome(parse_json, text) == outcome(json.loads, text)
    assert outcome(parse_strict_json, text) == outcome(strict_loads, text)


@pytest.fixture(params=["msgspec", "json"])
def _either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "json":
        monkeypatch.setattr(_json, "_decode_fast", None)
    else:
        pytest.importorskip("msgspec")


def fresh_module() -> ModuleType:
    """The module as it is when it is imported now."""
    spec = importlib.util.spec_from_file_location(_json.__name__, _json.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- the same meaning ---------------------------------------------------------------------------


@pytest.mark.usefixtures("_either")
def test_value_means_what_json_makes_of_it() -> None:
    """Whatever decodes, the value is that of `json.loads`, with all of its types."""
    for text in VALUES:
        assert outcome(json.loads, text) != "refused", text[:80]
        check(text)


@pytest.mark.usefixtures("_either")
def test_what_is_broken_is_refused() -> None:
    """What `json.loads` refuses is refused with a `ValueError`, and in its words."""
    for text in BROKEN:
        assert outcome(json.loads, text) == "refused", text[:80]
        check(text)
        for parse in (parse_json, parse_strict_json):
            with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared below
                parse(text)
            assert str(caught.value) == problem(text)


@pytest.mark.usefixtures("_either")
def test_strict_json_has_no_constants() -> None:
    """Arguments of a call never hold ``NaN`` or its like, and the error names it."""
    for name in ("NaN", "Infinity", "-Infinity"):
        with pytest.raises(ValueError, match=f"^{name} is not JSON$"):
            parse_strict_json(f'{{"a": [{name}]}}')


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters())
    | st.text('\ud800\udc00\udbff\udfffa\\"\x00\n', max_size=6)
)
JSON_VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(), max_size=40), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def written(draw: st.DrawFn) -> str:
    """A value, written in one of the ways in which it can be."""
    between, after = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r")]))
    text = json.dumps(
        draw(JSON_VALUES),
        ensure_ascii=draw(st.booleans()),
        separators=(between, after),
        indent=draw(st.sampled_from([None, 1])),
    )
    return draw(st.sampled_from(["", " ", "\n"])) + text


@settings(deadline=None)
@given(written())
def test_any_value(text: str) -> None:
    """Any value means the same, whatever is in it and however it is written."""
    check(text)


@settings(deadline=None)
@given(written(), st.data())
def test_mutated_text(text: str, data: st.DataObject) -> None:
    """A text with a character too few, too many or another one means the same, or nothing."""
    place = data.draw(st.integers(0, len(text) - 1))
    end = place + data.draw(st.integers(0, 2))
    inside = data.draw(
        st.text(st.sampled_from('0123456789+-.eE"\\u{}[]:, \n\ud800aNI\x00é'), max_size=2)
    )

    check(text[:place] + inside + text[end:])


@settings(deadline=None, max_examples=300)
@given(st.from_regex(r"-?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{0,3})?", fullmatch=True))
@example("1" + "0" * 22 + "e-" + "22")
def test_number(text: str) -> None:
    """A number means the same in all the ways in which it can be written, or is none."""
    check(text)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 60))
def test_rounding(value: float, digits: int) -> None:
    """A number with more or fewer digits than a double has is rounded to the same double."""
    check(f"{value:.{digits}e}")


# --- the two decoders ---------------------------------------------------------------------------


def test_msgspec_is_used_where_it_is_installed() -> None:
    """What is common goes through msgspec, and what only `json` knows goes on to that."""
    msgspec = pytest.importorskip("msgspec")

    assert fresh_module()._decode_fast is not None
    for text in ("NaN", "1e400", r'"\ud800"', '"\ud800"'):
        with pytest.raises(ValueError):  # noqa: PT011 - any: their words are not ours
            msgspec.json.decode(text)


def test_without_msgspec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where msgspec is not installed, `json` does all of the work."""
    monkeypatch.setitem(sys.modules, "msgspec", None)
    module = fresh_module()

    assert module._decode_fast is None
    assert module.parse_json('{"a": [1, NaN]}')["a"][0] == 1
    assert module.parse_strict_json('{"a": 1}') == {"a": 1}


@pytest.mark.usefixtures("_either")
def test_arguments_are_kept_once() -> None:
    """Decoding leaves nothing behind in the text, which is kept as long as its call."""
    arguments = json.dumps({"text": 1000 * "é"}, ensure_ascii=False)
    size = sys.getsizeof(arguments)

    assert parse_strict_json(arguments) == {"text": 1000 * "é"}
    assert sys.getsizeof(arguments) == size
