from trio_stream.partial_json import PartialJSON, format_path

ARGUMENTS = '{"file": "a.py", "edits": [{"old": "x", "new": "y"}, {"old": "p", "new": "q"}]}'


def act(path, value):
    match path:
        case ("edits", number, *rest) if not rest:
            print(f"edit {number} is whole: {value}")
        case _:
            print(f"{format_path(path)} = {value!r}")


parser = PartialJSON(on_value=act)
for start in range(0, len(ARGUMENTS), 4):
    parser.feed(ARGUMENTS[start : start + 4])
parser.close()
