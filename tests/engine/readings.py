"""Random requests under random policies, as many as asked for, repeatable by a seed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from random import Random

from engine import generate
from portero.engine import Policy, Snapshot, compile_policy

SEED = int(os.environ.get("PORTERO_TEST_SEED", "20260131"))
DECISIONS = int(os.environ.get("PORTERO_TEST_DECISIONS", "20000"))
REQUESTS_PER_POLICY = 10


def readings(count: int, seed: int = SEED) -> Iterator[tuple[Policy, Snapshot, generate.Request]]:
    """Yield `count` requests, each with the policy that is to judge it, and that policy compiled."""
    return islice(_endless(seed), count)


def _endless(seed: int) -> Iterator[tuple[Policy, Snapshot, generate.Request]]:
    random = Random(seed)
    while True:
        policy = generate.policy(random, version=random.randrange(1000))
        snapshot = compile_policy(policy)
        for _ in range(REQUESTS_PER_POLICY):
            yield policy, snapshot, generate.request(random, policy)
