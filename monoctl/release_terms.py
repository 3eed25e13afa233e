"""The terms of a window, as options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.release_gate import ALERTING_LAG_SECONDS, GateLimits
from monoctl.alert_states import AlertStates
from monoctl.release_window import ReleaseWindow, WindowPlan
from monoctl.stage_latency import StageLatency

if TYPE_CHECKING:
    from monoctl.release_window import Cohorts
    from monoctl.session import Session

MINUTE: Final = 60.0
CANARY_MINUTES: Final = 15.0
SYNC_EVERY_MINUTES: Final = 3.0
LOOK_SECONDS: Final = 15.0

ReleaseOption = Annotated[str | None, typer.Option("--release", help="Its id; the open one, where none is given.")]
MinutesOption = Annotated[float, typer.Option("--minutes", help="How long the window is; 1.5 is allowed.")]
EveryOption = Annotated[float, typer.Option("--every", help="Minutes between two syncs of an account.")]
LookOption = Annotated[float, typer.Option("--look", help="Seconds between two looks.")]
LagOption = Annotated[
    float, typer.Option("--alerting-lag", help="Seconds from a fault to its alert: nothing is promoted sooner.")
]
PrometheusOption = Annotated[
    str | None, typer.Option("--prometheus", envvar="MONOCTL_PROMETHEUS", help="Where the alerts are evaluated.")
]
WaivedOption = Annotated[
    str | None, typer.Option("--without-alerts", metavar="REASON", help="Judge without alerts; the reason is recorded.")
]
ShadowOption = Annotated[
    bool,
    typer.Option(
        "--shadow", help="Only read and compare the accounts that would come on; write nothing, change no flag."
    ),
]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Why; kept with the release. Required in prod.")]


@dataclass(frozen=True, kw_only=True)
class WindowTerms:
    """How long, how often, how strictly."""

    minutes: float
    every: float = SYNC_EVERY_MINUTES
    look: float = LOOK_SECONDS
    alerting_lag: float = ALERTING_LAG_SECONDS
    prometheus: str | None = None
    waived: str | None = None

    def __post_init__(self) -> None:
        for name, given in (("--minutes", self.minutes), ("--every", self.every), ("--look", self.look)):
            if given <= 0:
                raise InvalidInput(name, "must be more than nothing")
        if self.alerting_lag < 0:
            raise InvalidInput("--alerting-lag", "is no length of time")
        if self.waived is not None and not self.waived.strip():
            raise InvalidInput("--without-alerts", "needs a reason: it is recorded")

    def plan(self, stage: str, who: Cohorts, *, asked: tuple[str, ...] = ()) -> WindowPlan:
        """Return the window on these terms."""
        return WindowPlan(
            stage=stage,
            who=who,
            seconds=self.minutes * MINUTE,
            asked=asked,
            sync_every=self.every * MINUTE,
            look_every=self.look,
            limits=GateLimits(alerting_lag_seconds=self.alerting_lag),
            waived=self.waived,
        )

    def alerts(self, session: Session) -> AlertStates:
        """Return the road to the alerts: as given, else as the environment knows it."""
        return AlertStates(self.prometheus or session.reach.prometheus)

    def window(self, session: Session) -> ReleaseWindow:
        """Return what follows a window."""
        wiring, stages = session.wiring, StageLatency(self.prometheus or session.reach.prometheus)
        return ReleaseWindow(
            session.reach.ops,
            lambda: session.reach.api,
            self.alerts(session),
            stages,
            monotonic=wiring.monotonic,
            pause=wiring.pause,
        )
