"""The road to one environment: what a command may ask for, and where it goes."""

from monoctl.reach.answer import Guidance, RunReport, SyncAnswer
from monoctl.reach.deployed import DeployedReach
from monoctl.reach.embedded import EmbeddedReach
from monoctl.reach.roads import AsksDeadLetters, AsksOps, CallsSync, Reach

__all__ = [
    "AsksDeadLetters",
    "AsksOps",
    "CallsSync",
    "DeployedReach",
    "EmbeddedReach",
    "Guidance",
    "Reach",
    "RunReport",
    "SyncAnswer",
]
