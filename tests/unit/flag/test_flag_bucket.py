"""The bucket: the same for ever and everywhere, sticky, monotonic, uniform."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from random import Random

from hypothesis import given
from hypothesis import strategies as st

import mono_pipeline
from mono_pipeline.core.flag import FlagReading, FlagRule, Reason, bucket, decide

VECTORS = json.loads(Path(__file__).with_name("bucket_vectors.json").read_text())
account_ids = st.text("0123456789abcdef", min_size=24, max_size=24)


def on(percentage: int, account_id: str, salt: str = "") -> bool:
    """Decide by a percentage in basis points alone."""
    reading = FlagReading(rule=FlagRule(enabled=True, percentage=percentage, salt=salt), version=1)
    return decide(reading, account_id).enabled


def test_the_golden_vectors_hold() -> None:
    """Who is in at 10 % today is in at 10 % after any release: a changed vector moves customers."""
    found = [{**vector, "bucket": bucket(vector["salt"], vector["account_id"])} for vector in VECTORS]

    assert len(VECTORS) >= 20
    assert found == VECTORS


def test_another_process_with_another_hash_seed_gives_the_same_bucket() -> None:
    """I29: every Lambda agrees, because nothing rests on Python's own hash()."""
    program = "from mono_pipeline.core.flag import bucket; print(bucket('2026-11', '64779d900000000000ab0001'))"
    layer = str(Path(mono_pipeline.__file__).parents[1])
    runs = {
        subprocess.run(  # noqa: S603 - our own interpreter and program
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": layer, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }

    assert runs == {f"{bucket('2026-11', '64779d900000000000ab0001')}\n"}


@given(account_ids, st.text(st.characters(codec="utf-8"), max_size=12), st.integers(0, 10_000), st.integers(0, 10_000))
def test_raising_the_percentage_only_adds_accounts(account_id: str, salt: str, one: int, other: int) -> None:
    """I29: enabled(p1) is within enabled(p2) for p1 <= p2, with one salt."""
    low, high = sorted((one, other))

    assert not on(low, account_id, salt) or on(high, account_id, salt)


@given(account_ids, st.text(st.characters(codec="utf-8"), max_size=12))
def test_an_account_comes_on_at_its_bucket_and_not_before(account_id: str, salt: str) -> None:
    """Sticky: the bucket alone decides, and 0 % and 100 % are exactly nobody and everybody."""
    mine = bucket(salt, account_id)

    assert not on(mine, account_id, salt)
    assert on(mine + 1, account_id, salt)
    assert not on(0, account_id, salt)
    assert on(10_000, account_id, salt)


def test_salt_and_account_are_never_run_together() -> None:
    """Where the salt ends and the account begins is part of what is hashed."""
    splits = ["", "a", "ab", "abc", "abcd"]

    assert len({bucket(salt, "abcd".removeprefix(salt)) for salt in splits}) == len(splits)


def test_the_buckets_are_uniform() -> None:
    """20,000 accounts from a fixed seed: each share comes out as asked, and no hundredth is over- or underfull."""
    random = Random(20261101)  # noqa: S311 - a fixed seed, not a secret
    accounts = [f"{random.getrandbits(96):024x}" for _ in range(20_000)]
    buckets = [bucket("2026-11", account) for account in accounts]

    for percentage in (100, 500, 1250, 5000, 9000):
        share = sum(each < percentage for each in buckets) / len(buckets)
        assert abs(share - percentage / 10_000) < 0.01
    hundredths = [sum(each // 100 == hundredth for each in buckets) for hundredth in range(100)]
    chi_squared = sum((count - 200) ** 2 / 200 for count in hundredths)
    assert chi_squared < 148  # 99 degrees of freedom, p = 0.001


def test_another_salt_deals_anew() -> None:
    """Two rollouts with two salts are independent: of 10 % and 10 % about 1 % meet."""
    random = Random(7)  # noqa: S311 - a fixed seed, not a secret
    accounts = [f"{random.getrandbits(96):024x}" for _ in range(10_000)]
    both = sum(bucket("a", account) < 1000 and bucket("b", account) < 1000 for account in accounts)

    assert 60 < both < 140


def test_a_ramp_up_and_back_to_zero_is_a_chain_of_sets() -> None:
    """R1: 0 -> 1 -> 10 -> 50 -> 100 -> 0 %, each step keeps who was in, and 0 is nobody."""
    accounts = [f"{number:024x}" for number in range(2_000)]
    ramp = [{account for account in accounts if on(step, account)} for step in (0, 100, 1000, 5000, 10_000, 0)]

    assert all(before <= after for before, after in pairwise(ramp[:5]))
    assert ramp[0] == ramp[5] == set()
    assert ramp[4] == set(accounts)
    assert decide(FlagReading(rule=FlagRule(enabled=True), version=1), accounts[0]).reason is Reason.ROLLOUT
