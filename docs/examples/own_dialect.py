import attrs
import trio

from trio_stream import (
    BadItemError,
    InBandError,
    StreamTruncatedError,
    UnknownEvent,
    open_stream,
)
from trio_stream.framing import SSE, SSEParser
from trio_stream.testing import Event, check_dialect, serve


@attrs.define
class Line:
    text: str


@attrs.define
class Exited:
    code: int


@attrs.frozen
class Job:
    """What a build server's job has said, and how it ended."""

    lines: tuple[str, ...] = ()
    exit_code: int | None = None


class JobDecoder:
    skipped_items = 0

    def __init__(self):
        self.finished = False
        self.unknown_events = 0

    def decode(self, frames, out):
        for frame in frames:
            if self.finished:
                return
            match frame.event:
                case "line":
                    out.append(Line(frame.data))
                case "exit":
                    out.append(Exited(self._exit_code(frame)))
                    self.finished = True
                case "error":
                    raise InBandError(frame.data, kind="job_error", payload=frame.data)
                case _:
                    self.unknown_events += 1
                    out.append(UnknownEvent(frame.event, frame.data))

    def close(self):
        if not self.finished:
            raise StreamTruncatedError("the job's output ended without an exit event")

    def _exit_code(self, frame):
        try:
            return int(frame.data)
        except ValueError as error:
            raw = frame.data.encode("utf-8", "surrogatepass")
            raise BadItemError("the exit code is no number", raw=raw, event="exit") from error


class JobAssembler:
    def __init__(self):
        self._lines = []
        self._exit_code = None

    def fold(self, item):
        match item:
            case Line(text=text):
                self._lines.append(text)
            case Exited(code=code):
                self._exit_code = code

    def snapshot(self):
        return Job(tuple(self._lines), self._exit_code)

    @property
    def complete(self):
        return self._exit_code is not None


class JobDialect:
    framing = SSE()

    def decoder(self):
        return JobDecoder()

    def assembler(self):
        return JobAssembler()


def check_jobs():
    body = b"event: line\ndata: compiling\n\nevent: tick\ndata:\n\nevent: exit\ndata: 0\n\n"
    check_dialect(JobDialect(), SSEParser().feed(body), Job(("compiling",), 0))
    failing = b"event: line\ndata: compiling\n\nevent: error\ndata: no space left\n\n"
    check_dialect(JobDialect(), SSEParser().feed(failing), raises=InBandError)


async def main():
    check_jobs()
    script = [Event("compiling", event="line"), Event("0", event="exit")]
    async with serve([script, script[:1]]) as server:
        async with open_stream("GET", server.url, dialect=JobDialect()) as rx:
            print(await rx.result())
        try:
            async with open_stream("GET", server.url, dialect=JobDialect()) as rx:
                print(await rx.result())
        except StreamTruncatedError as error:
            print(error.outcome.value)


trio.run(main)
