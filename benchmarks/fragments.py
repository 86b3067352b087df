"""JSON in fragments, as tool calls stream: what it costs to see the value after each of them."""

# Everybody gets the same fragments and shows the value after each, as the SDKs do. Their way is to
# read the whole text again each time, which is quadratic: above some size, they are not run to
# their end but timed at places along the text.

from __future__ import annotations

import gc
import importlib
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from trio_stream.partial_json import PartialJSON

from . import report
from .documents import SHAPES, fragments_of
from .lab import Lab, Scale
from .measure import Effort, measure
from .report import Report, Table

__all__ = ["draw", "run"]

Accumulator = Callable[[str], object]
"""Takes the next fragment and returns the value so far."""

Peer = Callable[[str], Accumulator]
"""Makes an accumulator that has a beginning of the text already."""

OURS = "trio_stream"
BASE = "jiter"
SIZES = (200, 5_000, 100_000, 280_000, 2_000_000)
PLACES = 16  # along a text, where those are timed that are not run to the end
PATIENCE = 5.0  # seconds, to run a peer to the end
TO_THE_END = ("anthropic", "small objects", 280_000)  # this one in any case


@attrs.frozen
class Figure:
    """What a peer takes for a whole text.

    Attributes:
        seconds: CPU time.
        ratio: How many times ours.
        is_run: Whether it was run to the end, or timed only at places along the text.
        estimate: The CPU time by the places alone.
    """

    seconds: float
    ratio: float
    is_run: bool = True
    estimate: float | None = None

    def __str__(self) -> str:
        digits = 2 if self.ratio < 10 else 0
        return f"{'' if self.is_run else '~'}{self.ratio:,.{digits}f}"


@attrs.frozen
class Case:
    """A text in fragments.

    Attributes:
        shape: What it is like.
        size: About how long it is.
        fragments: Its fragments.
    """

    shape: str
    size: int
    fragments: list[str]


def run(lab: Lab) -> Report:
    """Measure; or, for a smoke test, only check that everybody finds the same value."""
    found = peers()
    sizes = lab.scale.pick(SIZES, SIZES[:2], (200, 1_000))
    exact, varied = (
        [
            Case(shape, size, fragments_of(make(size), least, most))
            for shape, make in SHAPES.items()
            for size in sizes
        ]
        for least, most in ((4, 4), (4, 12))
    )
    for case in (*exact, *varied):
        if case.size <= 5_000:
            _check(case, found)
    if lab.scale is Scale.SMOKE:
        return Report([])

    every = [(case, _compare(case, found)) for case in exact]
    only_jiter = {name: peer for name, peer in found.items() if name == BASE}
    versus_jiter = [(case, _compare(case, only_jiter)) for case in varied]
    at_end = [(case, _compare_at_end(case)) for case in (*exact, *varied) if case.size > 200]
    return Report(
        [
            _every_table("In fragments of 4 characters", every, list(found)),
            _every_table("In fragments of 4 to 12 characters", versus_jiter, [BASE]),
            _end_table(at_end[: len(at_end) // 2], at_end[len(at_end) // 2 :]),
        ],
        [
            _figure(case, name, figure)
            for case, figures in every
            for name, figure in figures.items()
        ],
        {
            "every": _facts(every),
            "every_4_to_12": _facts(versus_jiter),
            "at_end": [
                {"shape": case.shape, "size": case.size, "fragments": len(case.fragments), "of": of}
                for case, of in at_end
            ],
        },
    )


# Who is compared.


def peers() -> dict[str, Peer]:
    """What can be measured here beside ours, by name."""
    makers = {
        BASE: _jiter,
        "anthropic": _anthropic,
        "openai": _openai,
        "partial-json-parser": _partial_json_parser,
    }
    found: dict[str, Peer] = {}
    for name, make in makers.items():
        try:
            found[name] = make()
        except ImportError:
            continue
    return found


def read_each(fragments: Sequence[str]) -> object:
    """Ours, looked at after each fragment."""
    parser = PartialJSON()
    for fragment in fragments:
        parser.feed(fragment)
        parser.snapshot()
    return parser.close()


def read_at_end(fragments: Sequence[str]) -> object:
    """Ours, looked at once."""
    parser = PartialJSON()
    for fragment in fragments:
        parser.feed(fragment)
    return parser.close()


def read_whole(fragments: Sequence[str]) -> object:
    """The limit: nothing is looked at before all is here."""
    return json.loads("".join(fragments))


def _jiter() -> Peer:
    from_json = importlib.import_module("jiter").from_json

    def start(beginning: str) -> Accumulator:
        buffer = beginning.encode()

        def add(fragment: str) -> object:
            nonlocal buffer
            buffer += fragment.encode()
            return from_json(buffer, partial_mode=True)

        return add

    return start


def _anthropic() -> Peer:
    """Its `accumulate_event`, with events that are made beforehand as far as that is possible."""
    accumulate = importlib.import_module("anthropic.lib.streaming._messages").accumulate_event
    types = importlib.import_module("anthropic.types")
    delta_type = types.InputJSONDelta
    event_type = types.RawContentBlockDeltaEvent

    def start(beginning: str) -> Accumulator:
        block = types.ToolUseBlock(type="tool_use", id="t", name="f", input={})
        message = types.Message.construct(id="m", content=[block], role="assistant")
        buffers = {0: beginning.encode()}
        delta = delta_type(type="input_json_delta", partial_json="")
        event = event_type(type="content_block_delta", index=0, delta=delta)

        def add(fragment: str) -> object:
            delta.partial_json = fragment
            accumulate(event=event, current_snapshot=message, json_bufs=buffers)
            return block.input

        return add

    return start


def _openai() -> Peer:
    """Its `ChatCompletionStreamState`, for a strict tool: others it does not parse."""
    module = importlib.import_module("openai.lib.streaming.chat._completions")
    chunk_type = importlib.import_module("openai.types.chat").ChatCompletionChunk
    function = {"name": "f", "strict": True, "parameters": {}}
    tools = [{"type": "function", "function": function}]

    def chunk(call: dict[str, Any]) -> Any:
        choice = {"index": 0, "delta": {"tool_calls": [{"index": 0, **call}]}}
        head = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
        return chunk_type.model_validate({**head, "choices": [choice]})

    def start(beginning: str) -> Accumulator:
        state = module.ChatCompletionStreamState(input_tools=tools)
        named = {"name": "f", "arguments": beginning}
        state.handle_chunk(chunk({"id": "t", "type": "function", "function": named}))
        event = chunk({"function": {"arguments": ""}})
        delta = event.choices[0].delta.tool_calls[0].function

        def add(fragment: str) -> object:
            delta.arguments = fragment
            state.handle_chunk(event)
            message = state.current_completion_snapshot.choices[0].message
            return message.tool_calls[0].function.parsed_arguments

        return add

    return start


def _partial_json_parser() -> Peer:
    loads = importlib.import_module("partial_json_parser").loads

    def start(beginning: str) -> Accumulator:
        text = beginning

        def add(fragment: str) -> object:
            nonlocal text
            text += fragment
            return loads(text)

        return add

    return start


def read_with(peer: Peer, fragments: Sequence[str]) -> object:
    """The last value that a peer shows."""
    add = peer("")
    value: object = None
    for fragment in fragments:
        value = add(fragment)
    return value


# How.


def _check(case: Case, found: Mapping[str, Peer]) -> None:
    expected = read_whole(case.fragments)
    values = {name: read_with(peer, case.fragments) for name, peer in found.items()}
    values |= {OURS: read_each(case.fragments), "at the end": read_at_end(case.fragments)}
    for name, value in values.items():
        assert value == expected, f"{case.shape}, {case.size}: {name} finds another value"


def _compare(case: Case, found: Mapping[str, Peer]) -> dict[str, Figure]:
    ours = partial(read_each, case.fragments)
    estimates = {name: _estimate(peer, case.fragments) for name, peer in found.items()}
    # What is quick enough takes its turns with ours.
    quick = {
        name: partial(read_with, peer, case.fragments)
        for name, peer in found.items()
        if estimates[name] < 0.2
    }
    measured = measure({OURS: ours, **quick}, base=OURS, effort=_effort(case))
    figures = {name: Figure(result.seconds, 1 / result.ratio) for name, result in measured.items()}
    for name, peer in found.items():
        if name in quick:
            continue
        before = _seconds(ours)
        seconds = estimate = estimates[name]
        is_run = estimate < PATIENCE or (name, case.shape, case.size) == TO_THE_END
        if is_run:
            seconds = _seconds(partial(read_with, peer, case.fragments))
        own = statistics.mean([before, _seconds(ours)])
        figures[name] = Figure(seconds, seconds / own, is_run, estimate)
    return figures


def _effort(case: Case) -> Effort:
    if case.size < 200_000:
        return Effort(blocks=7, rounds=4)
    return Effort(blocks=3, rounds=2, patience_ns=5_000_000_000)


def _estimate(peer: Peer, fragments: Sequence[str]) -> float:
    """CPU seconds for all fragments, from a few at each of some places along the text."""
    spent: list[float] = []
    for place in range(PLACES):
        number = min(int((place + 0.5) * len(fragments) / PLACES), len(fragments) - 2)
        add = peer("".join(fragments[: number + 1]))
        # The first ones find nothing in the caches and no memory of the right size at hand.
        times = [_seconds(partial(add, fragment)) for fragment in fragments[number + 1 :][:9]]
        spent.append(statistics.median(times[len(times) // 2 :]))
    return statistics.mean(spent) * len(fragments)


def _seconds(work: Callable[[], object]) -> float:
    """CPU seconds, like those of `measure` without the garbage collector.

    It would charge those who make much garbage, the others, for looking through our fragments.
    """
    gc.disable()
    try:
        start = time.process_time_ns()
        work()
        return (time.process_time_ns() - start) / 1e9
    finally:
        gc.enable()


def _compare_at_end(case: Case) -> float:
    measured = measure(
        {
            "json.loads": partial(read_whole, case.fragments),
            OURS: partial(read_at_end, case.fragments),
        },
        base="json.loads",
        effort=_effort(case),
    )
    return 1 / measured[OURS].ratio


# What is told.


def _every_table(
    title: str, results: Sequence[tuple[Case, Mapping[str, Figure]]], names: Sequence[str]
) -> Table:
    per_fragment = {
        (case.shape, case.size): figures[OURS].seconds / len(case.fragments) * 1e6
        for case, figures in results
    }
    errors = [
        abs(figure.estimate / figure.seconds - 1)
        for _, figures in results
        for figure in figures.values()
        if figure.is_run and figure.estimate is not None
    ]
    error = "an unknown part"
    if errors:
        error = f"{statistics.median(errors):.0%} in the median and {max(errors):.0%} at most"
    return Table(
        title,
        "The value is read after each. The first column of figures is what a fragment takes"
        " trio_stream, in microseconds of CPU time; the second how many times that of the same"
        " shape at 5,000 characters. Then, how many times longer the others take for the whole"
        " text. ~ marks what is not run to its end but estimated, from places along the text. Where"
        f" both were done, the estimates were off by {error}.",
        ["text", f"{OURS}, us", "of 5,000", *names],
        [
            [
                f"{case.shape}, {case.size:,}",
                f"{(own := per_fragment[case.shape, case.size]):.2f}",
                f"{own / per_fragment[case.shape, 5_000]:.2f}",
                *(str(figures[name]) if name in figures else "-" for name in names),
            ]
            for case, figures in results
        ],
    )


def _end_table(exact: Sequence[tuple[Case, float]], varied: Sequence[tuple[Case, float]]) -> Table:
    return Table(
        "Read once, at the end",
        "How many times longer trio_stream takes than joining the fragments and `json.loads`, which"
        " shows nothing before. The fragments have 4 characters, or 4 to 12.",
        ["text", "4", "4 to 12"],
        [
            [f"{case.shape}, {case.size:,}", f"{of_exact:.2f}", f"{of_varied:.2f}"]
            for (case, of_exact), (_, of_varied) in zip(exact, varied, strict=True)
        ],
    )


def _figure(case: Case, name: str, figure: Figure) -> report.Figure:
    each = figure.seconds / len(case.fragments) * 1e6
    ratios = {} if name == OURS else {OURS: report.Spread.of([figure.ratio])}
    title = f"fragments, {case.shape}, {case.size:,}"
    return report.Figure(title, name, "CPU per event", "µs", report.Spread.of([each]), ratios)


def _facts(results: Sequence[tuple[Case, Mapping[str, Figure]]]) -> list[dict[str, object]]:
    return [
        {
            "shape": case.shape,
            "size": case.size,
            "fragments": len(case.fragments),
            "results": {name: attrs.asdict(figure) for name, figure in figures.items()},
        }
        for case, figures in results
    ]


COLOURS = {
    OURS: "#d1495b",
    BASE: "#30638e",
    "anthropic": "#edae49",
    "openai": "#7d8491",
    "partial-json-parser": "#574b90",
}


def draw(folder: Path) -> None:
    """Draw ``fragments.json`` of a folder, the growth of cost with size, into ``fragments.svg``."""
    from matplotlib import pyplot as plt  # noqa: PLC0415 (an extra, and slow to import)

    facts = json.loads((folder / "fragments.json").read_text("utf-8"))["facts"]["every"]
    figure, all_axes = plt.subplots(
        1, len(SHAPES), figsize=(11, 3.8), layout="constrained", sharey=True
    )
    for axes, shape in zip(all_axes, SHAPES, strict=True):
        rows = [row for row in facts if row["shape"] == shape]
        for name, colour in COLOURS.items():
            if all(name in row["results"] for row in rows):
                axes.plot(
                    [row["size"] for row in rows],
                    [row["results"][name]["seconds"] for row in rows],
                    marker="o",
                    color=colour,
                    linewidth=2.4 if name == OURS else 1.2,
                    label=name,
                )
        axes.set(title=shape, xscale="log", yscale="log", xlabel="characters")
        axes.grid(alpha=0.3)
    all_axes[0].set_ylabel("CPU seconds, value read after every 4 characters")
    all_axes[0].legend(fontsize=8)
    figure.savefig(folder / "fragments.svg", metadata={"Date": None})
    plt.close(figure)
