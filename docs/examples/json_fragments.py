"""Print a table: a JSON text as it arrives, and the value so far."""

import csv
import json
import sys

from trio_stream.partial_json import PartialJSON, PartialJSONError

FRAGMENTS = [
    '{"na',
    'me": "So',
    "up \\u00",
    'e9", "minutes": 4',
    "5",
    ', "hot": tru',
    'e, "steps": [{"do": "c',
    'ut"}',
    ", ]}",
]


def show(value):
    return f"``{json.dumps(value, ensure_ascii=False)}``"


table = csv.writer(sys.stdout, lineterminator="\n")
table.writerow(["fragment", "value so far"])
parser = PartialJSON()
try:
    for fragment in FRAGMENTS:
        parser.feed(fragment)
        table.writerow([f"``{fragment}``", show(parser.snapshot())])
except PartialJSONError as error:
    table.writerow([f"``{fragment}``", error])
