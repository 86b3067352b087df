"""Streams through random faults: nothing lost, nothing twice, or one truthful ending."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.pipeline.told import Recorded, Told, told
from tests.pipeline.watched import Watched
from tests.pipeline.worlds import SOCKETS, Letters, World
from trio_stream.checkpoints import MemoryCheckpoints
from trio_stream.config import StreamConfig
from trio_stream.errors import StreamError
from trio_stream.outcome import Ending
from trio_stream.pipeline import Restarted, open_stream
from trio_stream.retry import LastEventID
from trio_stream.testing import (
    BadChunk,
    Busy,
    CutAt,
    CutEvent,
    Event,
    Fault,
    Feed,
    Goodbye,
    Head,
    Insert,
    Instead,
    Late,
    LineEnds,
    Ping,
    Refuse,
    Reset,
    SplitAt,
    SplitCRLF,
    SplitEvery,
    StallAt,
    Step,
    Truncate,
    Wait,
    assert_no_leaks,
    faulty_in_turn,
    first,
    memory_client,
)

# How much harder to look than usual: TRIO_STREAM_FAULTS=100 takes some minutes.
HARDER = float(os.environ.get("TRIO_STREAM_FAULTS", "1"))
IDLE, HEADERS = 30.0, 20.0  # the watchdogs of a stream, in seconds
EVENTS = 12
BYTES = sum(len(f"id: {n}\ndata: {n}\n\n") for n in range(1, EVENTS + 1))


def looks(examples: int) -> settings:
    return settings(max_examples=max(1, int(examples * HARDER)), deadline=None)


# ---- faults --------------------------------------------------------------------------------------

events = st.integers(1, EVENTS + 2)
places = st.integers(0, BYTES + 20)
moments = st.sampled_from([0.0, 0.5, 5.0])
silences = st.sampled_from([1.0, HEADERS + 5, IDLE + 5, math.inf])
bad_ends = st.sampled_from(["close", "reset"])
any_end = st.sampled_from(["close", "reset", "end"])

splits: list[st.SearchStrategy[Fault]] = [
    st.builds(SplitAt, st.lists(places, max_size=3), every=moments),
    st.builds(SplitEvery, st.integers(1, 7), every=moments),
    st.builds(SplitCRLF, every=moments),
]
pauses: list[st.SearchStrategy[Fault]] = [
    st.builds(StallAt, places, silences),
    st.builds(Insert, events, st.sampled_from([[Ping()], [Ping(), Wait(20.0), Ping()]])),
    st.builds(Late, st.sampled_from([1.0, HEADERS + 1])),
]
line_ends: list[st.SearchStrategy[Fault]] = [st.builds(LineEnds, st.sampled_from(["\r\n", "\r"]))]
refusals: list[st.SearchStrategy[Fault]] = [
    st.sampled_from([Instead(Refuse()), Instead(Truncate()), Instead(Reset())])
]
complaints: list[st.SearchStrategy[Fault]] = [
    st.builds(
        lambda status, after, form: Instead(Busy(status, retry_after=after, form=form)),
        st.sampled_from([429, 503]),
        st.sampled_from([None, 0, 3, 100]),
        st.sampled_from(["seconds", "milliseconds", "date"]),
    )
]
breaks: list[st.SearchStrategy[Fault]] = [
    st.builds(CutAt, places, bad_ends),
    st.builds(CutEvent, events, bad_ends),
    st.builds(Insert, events, st.just(BadChunk())),
]
clean_ends: list[st.SearchStrategy[Fault]] = [
    st.builds(CutAt, places, any_end),
    st.builds(CutEvent, events, any_end),
    st.builds(Goodbye, events),
]


failures: list[st.SearchStrategy[Fault]] = [st.builds(Insert, events, st.just(Event("!")))]


def turns(*kinds: list[st.SearchStrategy[Fault]], most: int = 6) -> st.SearchStrategy[Any]:
    """Faults of one answer after the other: of events, then of line ends, then of bytes."""
    known = [each for kind in kinds for each in kind]
    turn = st.lists(st.one_of(known), max_size=3).map(in_order)
    return st.lists(turn, max_size=most)


def in_order(faults: Sequence[Fault]) -> list[Fault]:
    instead = [fault for fault in faults if isinstance(fault, Instead)]
    if instead:
        return instead[:1]
    ranks = {LineEnds: 1, SplitAt: 2, SplitEvery: 2, SplitCRLF: 2, StallAt: 2, CutAt: 2}
    return sorted(faults, key=lambda fault: ranks.get(type(fault), 0))


# ---- streams -------------------------------------------------------------------------------------


@attrs.frozen
class Consumer:
    """What the consumer does.

    Attributes:
        late: Seconds before it asks for the first item.
        pause: Seconds that it works on each.
        leave: After how many items it leaves; 0: it does not.
        finish: After how many items it wants no more; 0: it does not.
    """

    late: float = 0.0
    pause: float = 0.0
    leave: int = 0
    finish: int = 0


consumers = st.builds(
    Consumer,
    st.sampled_from([0.0, 0.0, 3.0]),
    st.sampled_from([0.0, 0.0, 0.3, 50.0]),
    st.sampled_from([0, 0, 0, 1, 3, EVENTS]),
    st.sampled_from([0, 0, 0, 1, 3, EVENTS]),
)
families = st.sampled_from(["httpx", "httpx2"])
chunk_sizes = st.sampled_from([1, 7, 65536])


def virtual(main: Callable[[], Any]) -> None:
    """Run on virtual time, with a limit that no run should ever need."""

    async def limited() -> None:
        with trio.fail_after(1e7):
            await main()

    trio.run(limited, clock=MockClock(autojump_threshold=0))


def config_of(**changes: Any) -> StreamConfig:
    settings = {"idle_timeout": IDLE, "headers_timeout": HEADERS, "max_retries": -1}
    return StreamConfig(**{**settings, **changes})


async def consume(rx: Any, consumer: Consumer, got: list[Any]) -> None:
    await trio.sleep(consumer.late)
    async for item in rx:
        got.append(item)
        await trio.sleep(consumer.pause)
        if len(got) == consumer.finish:
            rx.finish()
        if len(got) == consumer.leave:
            return


@given(
    mode=st.sampled_from(["resume", "always", "event_source"]),
    data=st.data(),
    consumer=consumers,
    overlap=st.sampled_from([0, 0, 1, 3]),
    family=families,
    chunk_size=chunk_sizes,
    encoding=st.sampled_from([None, None, "gzip"]),
)
@looks(200)
def test_resumable_streams_lose_nothing(
    *,
    mode: str,
    data: Any,
    consumer: Consumer,
    overlap: int,
    family: str,
    chunk_size: int,
    encoding: Any,
) -> None:
    """A stream with IDs brings every event once and in order, through whatever faults.

    An event source takes nothing for a duplicate, so there a server must send nothing twice.
    """
    overlap = 0 if mode == "event_source" else overlap
    kinds = [splits, pauses, line_ends, refusals, breaks]
    kinds += [] if mode == "resume" else [clean_ends]
    kinds += [] if mode == "event_source" else [complaints]
    faults = data.draw(turns(*kinds), label="turns")
    per_answer = None if mode == "resume" else data.draw(st.sampled_from([None, 4, 5]))
    head = Head(encoding=encoding)
    feed = Feed(EVENTS, head=head, at_end="204", overlap=overlap, per_answer=per_answer)

    async def main() -> None:
        got: list[Any] = []
        async with (
            assert_no_leaks(),
            memory_client(faulty_in_turn(feed, faults), family=family) as (client, server),
        ):
            watched = Watched(config_of(chunk_size=chunk_size))
            async with watched.open(
                "GET",
                server.url,
                client=client,
                reconnect=mode,
                cursor=LastEventID(consecutive=True),
            ) as rx:
                await consume(rx, consumer, got)
        outcome = rx.outcome
        watched.check(outcome, asked=len(server.requests) + server.refused)
        numbers = [int(event.data) for event in got]
        assert numbers == list(range(1, len(numbers) + 1))
        received = [int(event.data) for event in outcome.value]
        assert received == list(range(1, len(received) + 1))
        assert outcome.items == len(received)
        assert outcome.last_event_id == (str(len(received)) if received else "")
        assert outcome.missing_items == 0
        assert outcome.duplicate_items <= overlap * (outcome.attempts - 1)
        asked = [int(each or 0) for each in feed.asked]
        assert asked == sorted(asked), "a position never goes back"
        if consumer.leave and len(got) == consumer.leave:
            assert outcome.ending is Ending.CLOSED
        else:
            assert outcome.ending is Ending.COMPLETED
            assert received == numbers
            assert outcome.acknowledged_id == outcome.last_event_id
            if not (consumer.finish and len(got) >= consumer.finish):
                assert len(numbers) == EVENTS

    virtual(main)


# ---- streams that cannot be resumed --------------------------------------------------------------

NUMBERS = [Head(), *[Event(str(n)) for n in range(1, EVENTS + 1)]]
LETTERS = [Head(), *[Event(letter) for letter in "abcdefgh."]]


@attrs.frozen
class Answers:
    """Lays faults over a plan, and says afterwards what its answers have told.

    Attributes:
        faults: Of each answer.
        terminal: The data of the event that makes a stream whole, and "!" is an error; ``""``: a
            clean end makes it whole, and there are no such errors.
    """

    faults: Sequence[Sequence[Fault]]
    terminal: str = ""
    played: dict[int, list[Step]] = attrs.field(factory=dict)

    def plan(self, plan: Any) -> Any:
        def turn(number: int) -> list[Fault]:
            faults = self.faults[number - 1] if number <= len(self.faults) else []
            return [*faults, Recorded(self.played.setdefault(number, []))]

        return faulty_in_turn(plan, turn)

    def told(self, number: int, *, idle: float = IDLE) -> Told:
        """What the answer to the attempt of that number has told."""
        answer = told(self.played[number] or None, idle=idle, headers=HEADERS)
        if self.terminal and "!" in answer.data:
            data = answer.data[: answer.data.index("!")]
            answer = attrs.evolve(answer, data=data, ending=Ending.FAILED)
        if self.terminal and self.terminal in answer.data:
            return attrs.evolve(answer, ending=Ending.COMPLETED)
        if self.terminal and answer.ending is Ending.COMPLETED:
            return attrs.evolve(answer, ending=Ending.TRUNCATED)
        return answer


@given(
    mode=st.sampled_from(["never", "before_first_item", "resume"]),
    method=st.sampled_from(["GET", "POST"]),
    with_dialect=st.booleans(),
    faults=turns(splits, pauses, line_ends, refusals, breaks, clean_ends, complaints, failures),
    consumer=consumers,
    family=families,
    chunk_size=chunk_sizes,
)
@looks(120)
def test_other_streams_tell_the_truth(
    *,
    mode: Any,
    method: str,
    with_dialect: bool,
    faults: Any,
    consumer: Consumer,
    family: str,
    chunk_size: int,
) -> None:
    """A stream that cannot be resumed has one ending, and it is that of its last answer."""
    answers = Answers(faults, "." if with_dialect else "")
    options: dict[str, Any] = {"dialect": Letters()} if with_dialect else {}

    async def main() -> None:
        got: list[Any] = []
        raised: StreamError | None = None
        plan = answers.plan(LETTERS if with_dialect else NUMBERS)
        async with assert_no_leaks(), memory_client(plan, family=family) as (client, server):
            watched = Watched(config_of(max_retries=10, chunk_size=chunk_size))
            try:
                async with watched.open(
                    method, server.url, client=client, reconnect=mode, **options
                ) as rx:
                    await consume(rx, consumer, got)
            except StreamError as error:
                raised = error
        [outcome] = watched.outcomes
        watched.check(outcome, asked=len(server.requests) + server.refused)
        is_prompt = not (consumer.late or consumer.pause)
        # What is silent while the stages wait for the consumer does not time out.
        last = answers.told(outcome.attempts, idle=IDLE if is_prompt else math.inf)
        received = [str(getattr(item, "data", item)) for item in outcome.value]
        assert outcome.items == len(received)
        assert outcome.value[: len(got)] == got
        assert received == last.data[: len(received)]
        assert outcome.attempts == 1 or mode != "never"
        for number in range(1, outcome.attempts):
            assert answers.told(number).ending is not Ending.COMPLETED
        assert raised is None or raised.outcome is outcome
        assert (raised is None) == (outcome.ending in (Ending.COMPLETED, Ending.CLOSED))
        stays = not (0 < consumer.leave <= len(got) or 0 < consumer.finish <= len(got))
        if stays and is_prompt:  # else it may have seen less of it
            assert received == last.data
            assert outcome.ending is last.ending

    virtual(main)


@given(
    faults=turns(splits, pauses, line_ends, refusals, breaks, clean_ends, complaints),
    family=families,
    chunk_size=chunk_sizes,
)
@looks(40)
def test_restarts_are_told(faults: Any, family: str, chunk_size: int) -> None:
    """A feed without IDs that is subscribed to shows each beginning, and what came after it."""
    answers = Answers(faults)

    async def main() -> None:
        got: list[Any] = []
        plan = answers.plan(first([NUMBERS] * 8, then=Head(204)))
        async with assert_no_leaks(), memory_client(plan, family=family) as (client, server):
            watched = Watched(config_of(chunk_size=chunk_size))
            async with watched.open("GET", server.url, client=client, reconnect="always") as rx:
                await consume(rx, Consumer(), got)
        outcome = rx.outcome
        watched.check(outcome, asked=len(server.requests) + server.refused)
        assert outcome.ending is Ending.COMPLETED
        assert outcome.value == got
        runs: list[tuple[int, list[str]]] = [(0, [])]
        for item in got:
            if isinstance(item, Restarted):
                assert item.discarded == len(runs[-1][1])
                runs.append((item.attempt, []))
            else:
                runs[-1][1].append(item.data)
        expected = [
            (number, answers.told(number).data)
            for number in range(1, outcome.attempts)
            if answers.told(number).accepted
        ]
        (_, first_run), *more = runs
        assert more == expected[len(expected) - len(more) :]
        assert first_run in [[], *[data for _, data in expected]]

    virtual(main)


def test_leaving_leaves_no_hole() -> None:
    """What was received when the consumer left has no hole, wherever the stages were stopped."""

    async def main() -> None:
        async with assert_no_leaks(), memory_client(NUMBERS) as (client, server):
            for _ in range(200):  # each time another task runs first
                async with open_stream(
                    "GET", server.url, client=client, config=StreamConfig(chunk_size=7)
                ) as rx:
                    await rx.receive()
                    await trio.lowlevel.checkpoint()
                received = [event.data for event in rx.outcome.value]
                assert received == [str(n) for n in range(1, len(received) + 1)]

    virtual(main)


# ---- processes that are killed -------------------------------------------------------------------


@attrs.define(eq=False)
class Death(trio.abc.Instrument):
    """Cancels a scope right before the n-th step; 0: never."""

    step: int
    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)
    steps: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1
        if self.steps == self.step:
            self.scope.cancel()


class MortalCheckpoints(MemoryCheckpoints):
    """A store that a process without a pulse cannot reach."""

    death: Death | None = None

    async def save(self, key: str, position: str) -> None:
        if self.death is not None and self.death.scope.cancel_called:
            await trio.lowlevel.checkpoint_if_cancelled()  # leaving tries once more, in a shield
        else:
            await super().save(key, position)


@given(
    faults=turns(splits, pauses, refusals, breaks, complaints, most=8),
    deaths=st.lists(st.integers(1, 500), max_size=6),
    pause=st.sampled_from([0.0, 0.3, 5.0]),
    is_hard=st.booleans(),
    flushes=st.booleans(),
    overlap=st.sampled_from([0, 1]),
    family=families,
)
@looks(100)
def test_killed_and_started_again(
    *,
    faults: Any,
    deaths: list[int],
    pause: float,
    is_hard: bool,
    flushes: bool,
    overlap: int,
    family: str,
) -> None:
    """A process that is started again goes on behind the last item that it has dealt with."""
    feed = Feed(EVENTS, at_end="204", overlap=overlap)
    store = MortalCheckpoints()
    lives: list[list[int]] = []  # the items that each has dealt with

    async def live(client: Any, url: str, death: Death) -> None:
        done: list[int] = []
        lives.append(done)
        saved = 0
        with death.scope:
            async with open_stream(
                "GET",
                url,
                client=client,
                reconnect="resume",
                config=config_of(),
                checkpoints=store,
                checkpoint_key="feed",
            ) as rx:
                async for event in rx:
                    await trio.sleep(pause)
                    done.append(int(event.data))
                    if flushes:
                        rx.ack()
                        await rx.flush()
                        saved = done[-1]
        assert int(store.positions.get("feed", 0)) >= saved

    async def main() -> None:
        plan = faulty_in_turn(feed, faults)
        async with assert_no_leaks(), memory_client(plan, family=family) as (client, server):
            for step in [*deaths, 0]:
                death = Death(step)
                store.death = death if is_hard else None
                trio.lowlevel.add_instrument(death)
                await live(client, server.url, death)
                trio.lowlevel.remove_instrument(death)
                last = lives[-1][-1:] or [int(store.positions.get("feed", 0))]
                kept = int(store.positions.get("feed", 0))
                assert kept <= last[0], "ahead of what was dealt with"
                if not is_hard:
                    assert kept == last[0], "behind what was dealt with"
        reached = 0
        for done in lives:
            assert done == list(range(done[0], done[0] + len(done))) if done else True
            assert not done or done[0] <= reached + 1, "lost"
            assert not done or is_hard or done[0] == reached + 1, "twice"
            reached = max([reached, *done])
        assert reached == EVENTS

    virtual(main)


# ---- over sockets --------------------------------------------------------------------------------


@pytest.mark.parametrize("world", SOCKETS, ids=lambda world: world.name)
def test_resumable_streams_over_sockets(world: World) -> None:
    """The same holds over sockets, whose resets lose what was not read yet."""

    @given(
        mode=st.sampled_from(["resume", "always", "event_source"]),
        faults=turns(line_ends, refusals, breaks, [st.builds(SplitEvery, st.integers(1, 50))]),
        overlap=st.sampled_from([0, 2]),
    )
    @looks(25)
    def check(mode: Any, faults: Any, overlap: int) -> None:
        overlap = 0 if mode == "event_source" else overlap
        feed = Feed(EVENTS, at_end="204", overlap=overlap)

        async def main() -> None:
            got: list[Any] = []
            async with (
                assert_no_leaks(),
                world.serve(faulty_in_turn(feed, faults)) as (client, server),
            ):
                watched = Watched(config_of(initial_backoff=0))
                async with watched.open("GET", server.url, client=client, reconnect=mode) as rx:
                    await consume(rx, Consumer(), got)
            asked = len(server.requests)
            if world.is_ours:  # it repeats what was lost on a connection that had died meanwhile
                assert asked >= rx.outcome.attempts
                asked = rx.outcome.attempts
            watched.check(rx.outcome, asked=asked)
            assert rx.outcome.ending is Ending.COMPLETED
            assert [event.data for event in got] == [str(n) for n in range(1, EVENTS + 1)]

        world.run(main)

    check()
