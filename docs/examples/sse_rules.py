"""Print a table: the rules of server-sent events, each with bytes and what is made of them."""

import csv
import sys

from trio_stream.framing import Comment, SSEParser

RULES = [
    ("A BOM at the very start is no part of the stream.", b"\xef\xbb\xbfdata: a\n\n"),
    ("A line ends with LF, CRLF or CR.", b"data: a\n\ndata: b\r\n\r\ndata: c\r\r"),
    ("Nothing else ends a line.", "data: a\u2028b\x85c\x0bd\n\n".encode()),
    ("Bytes that are no UTF-8 become U+FFFD.", b"data: a\xffb\n\n"),
    ("One space after the colon is dropped, and only one.", b"data:  a\n\ndata:b\n\n"),
    ("Data lines are joined with LF.", b"data: a\ndata:\ndata: b\n\n"),
    ("An empty data line makes an event.", b"data\n\n"),
    ("A block without data makes none.", b"event: x\n\nid: 7\n\nretry: 5\n\n: hi\n\n"),
    ("A name holds for its block only.", b"event: x\ndata: a\n\ndata: b\n\n"),
    ("An ID holds until another one comes.", b"id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n"),
    ("A block of nothing but an ID sets it.", b"id: 7\n\ndata: a\n\n"),
    ("An ID with a NUL is ignored.", b"id: 7\ndata: a\n\nid: 8\0\ndata: b\n\n"),
    ("`retry` is ASCII digits and nothing else.", b"retry: 5\ndata: a\n\nretry: -5\ndata: b\n\n"),
    ("Other fields are ignored.", b"foo: bar\ndata: a\n\n"),
    ("An unfinished event is dropped at the end.", b"data: a\n\ndata: b\n"),
]


def show(event):
    text = f"{event.event} ``{event.data!a}``"
    if event.id:
        text += f" (id {event.id})"
    if event.retry is not None:
        text += f" (retry {event.retry})"
    return text


table = csv.writer(sys.stdout, lineterminator="\n")
table.writerow(["rule", "bytes", "events"])
for rule, data in RULES:
    parser = SSEParser()
    whole = parser.feed(data) + parser.close()
    assert parser.truncated == rule.startswith("An unfinished")

    parser = SSEParser()
    one_by_one = [event for byte in data for event in parser.feed(bytes([byte]))]
    assert one_by_one == whole

    table.writerow([rule, f"``{str(data)[2:-1]}``", "\n\n".join(map(show, whole)) or "none"])

assert SSEParser(comments=True).feed(b": hi\n\n") == [Comment("hi")]
