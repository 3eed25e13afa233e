"""`REALTIME=1 make monitoring-test`: the chain at its real pace beside the functions: how long does each alert take?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from local.cloudwatch.log_folder import LogFolder
from local.cloudwatch.points import Points
from local.cloudwatch.server import CloudWatchServer
from local.monitoring import REAL, Chain
from local.monitoring_judge import DOWN, EMPTY, FAILURES, LATENCY, REQUIRED, differences, wait_for
from local.monitoring_scenarios import Scenes
from local.stack import EmbeddedStack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from local.monitoring_judge import Proof

HEALTHY_SECONDS: Final = 420
DETECTION_SECONDS: Final = 600  # the longest that an alert may take
STORED_SECONDS: Final = 720  # by then the last five minutes of an account are exported, scraped and stored
_LOOK_SECONDS: Final = 5


class _Spell:
    """A running chain and what happens at the bank meanwhile."""

    def __init__(self, proof: Proof, scenes: Scenes, reader: LogFolder, chain: Chain) -> None:
        self.proof = proof
        self.scenes = scenes
        self.reader = reader
        self.chain = chain

    def healthy(self) -> None:
        """No required alert, for longer than one takes."""
        give_up = time.monotonic() + HEALTHY_SECONDS
        while time.monotonic() < give_up:
            self.play(lambda: self.scenes.healthy(rounds=1))
            time.sleep(30)
        early = self.chain.firing() & (REQUIRED | {DOWN})
        self.proof.note(
            "realtime-healthy",
            f"alerts of failures, slowness or emptiness in {HEALTHY_SECONDS} s of health",
            ", ".join(sorted(early)) or "none",
            goal="none",
            ok=not early,
        )

    def play(self, scene: Callable[[], None]) -> float:
        """Play a scene; returns when its last line was written."""
        scene()
        self.reader.take()
        return time.monotonic()

    def measure(self, since: Mapping[str, float], *, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Note how long each alert takes from `since` on, while something goes on happening."""
        seen: dict[str, float] = {}
        while since.keys() - seen.keys() and time.monotonic() < max(since.values()) + DETECTION_SECONDS:
            self.play(meanwhile)
            for name in (self.chain.firing() & since.keys()) - seen.keys():
                seen[name] = time.monotonic() - since[name]
            time.sleep(_LOOK_SECONDS)
        for name in sorted(since):
            took = round(seen[name]) if name in seen else None
            self.proof.note(
                f"realtime-{name}",
                "from the fault to Alertmanager",
                took,
                unit="s",
                goal=f"<= {DETECTION_SECONDS}",
                ok=took is not None,
            )


def realtime(proof: Proof, folder: Path, settings: Mapping[str, Any]) -> None:
    """A healthy spell, then one fault after the other; at the end nothing may be missing."""
    points = Points()
    with (
        EmbeddedStack(folder / "stack", **settings) as stack,
        CloudWatchServer(points) as cloudwatch,
        Chain(folder / "chain", cloudwatch=cloudwatch.url, pace=REAL) as chain,
    ):
        scenes = Scenes(stack.record)
        spell = _Spell(proof, scenes, LogFolder(stack.settings.logs, points), chain)
        spell.healthy()
        since = {FAILURES: spell.play(scenes.failures), EMPTY: spell.play(scenes.empty)}
        # it stays slow: p95 is over ten minutes, most of which were healthy
        spell.measure({**since, LATENCY: time.monotonic()}, meanwhile=scenes.slow)
        spell.measure({DOWN: spell.play(scenes.outage)})
        wait_for(lambda: not differences(chain, points), seconds=STORED_SECONDS)
        differing = differences(chain, points)
        told = f"{len(differing)}" + "".join(f"\n     {one}" for one in differing[:5])
        proof.note("realtime-equal", "series that differ", told, goal="0", ok=not differing)
        scenes.close()
