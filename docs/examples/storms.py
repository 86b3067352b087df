"""Print how often a server is asked in an hour, by the judgement alone: no server, no clock."""

import csv
import random
import sys

from trio_stream import (
    RetryBudget,
    StreamConfig,
    StreamError,
    StreamErrorType,
    StreamTimeoutError,
)
from trio_stream.retry import Facts, Recovery

BROKEN = StreamError("broken", error_type=StreamErrorType.STREAM_INTERRUPTED)
SILENT = StreamTimeoutError("silent", layer="idle")
HOUR = 3600.0
GREETING = "an item that says nothing new"

# What each connection does: whether it is made, whether it brings an item (one that is farther, or
# a greeting), how long it lives, how it ends.
SERVERS = [
    ("refuses each connection", False, False, 0.0, BROKEN),
    ("accepts and resets", True, False, 0.0, BROKEN),
    ("greets and resets", True, GREETING, 0.0, BROKEN),
    ("accepts and ends the body well", True, False, 0.0, None),
    ("brings an item and resets", True, True, 0.0, BROKEN),
    ("brings an item and ends the body well", True, True, 0.0, None),
    ("rotates its connections every 30 s", True, True, 30.0, None),
    ("the same, and brings nothing", True, False, 30.0, None),
    ("says nothing until a watchdog fires", True, False, 300.0, SILENT),
]


def simulate(accepts, brings, lives, error, *, seed):
    """Count the requests of a subscription in an hour, and the share of time without one."""
    config = StreamConfig(max_retries=-1)
    dice = random.Random(seed)  # noqa: S311 (dice)
    recovery = Recovery("always", config, budget=RetryBudget(), random=dice.random, now=0.0)
    now = waited = 0.0
    while now < HOUR:
        recovery.began(now)
        if accepts:
            recovery.accepted(now)
        if brings:
            recovery.progressed(now, advanced=brings != GREETING)
            recovery.committed()
        now += lives
        verdict = recovery.judge(Facts(error=error, can_resume=brings), now)
        now += verdict.delay
        waited += verdict.delay
    return recovery.attempts, waited / now


table = csv.writer(sys.stdout, lineterminator="\n")
table.writerow(["a server that …", "requests in an hour", "of the time waited"])
for name, *server in SERVERS:
    runs = [simulate(*server, seed=seed) for seed in range(10)]
    mean = sum(attempts for attempts, _ in runs) / len(runs)
    most = max(attempts for attempts, _ in runs)
    share = sum(share for _, share in runs) / len(runs)
    table.writerow([name, f"{mean:.0f} (at most {most})", f"{share:.0%}"])
