"""The other systems that people load PostgreSQL from an API with: Singer and PyAirbyte, at their documented best."""

from __future__ import annotations

from typing import Final

from bench.contestants import HERE, Contestant, environment_of

_COUNTS: Final = """SELECT count(*) AS rows,
                           coalesce(sum(amount) FILTER (WHERE type = 'credit'), 0)::bigint AS credits,
                           coalesce(sum(amount) FILTER (WHERE type = 'debit'), 0)::bigint AS debits
                    FROM mono.transactions"""


def singer() -> Contestant:
    """A tap of the Meltano SDK into MeltanoLabs' target, by COPY; an environment each, as their pins require."""
    folder = HERE / "peers" / "singer"
    target = environment_of("singer-target", folder / "target-requirements.txt").with_name("target-postgres")
    return Contestant(
        name="Singer",
        what="singer-sdk tap | target-postgres with use_copy, upsert, batches of 10,000",
        python=environment_of("singer-tap", folder / "tap-requirements.txt"),
        program=folder / "load.py",
        options=("--target", str(target)),
        counts=_COUNTS,
        environment={"SINGER_SDK_LOG_LEVEL": "ERROR"},
        is_peer=True,
    )


def pyairbyte() -> Contestant:
    """A declarative source into PyAirbyte's PostgreSQL cache, four slices at once, merged by id."""
    folder = HERE / "peers" / "airbyte"
    # its metadata stops below 3.13, its code does not: everybody runs on the same Python
    options = ("--ignore-requires-python", "--no-deps")
    return Contestant(
        name="PyAirbyte",
        what="declarative source, concurrency 4, PostgresCache, merge",
        python=environment_of("airbyte", folder / "requirements.txt", options=options),
        program=folder / "load.py",
        counts=_COUNTS,
        environment={"AIRBYTE_OFFLINE_MODE": "1", "DO_NOT_TRACK": "1"},
        is_peer=True,
    )
