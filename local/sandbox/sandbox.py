"""The sandbox itself: one pure function from request to answer, and every operation of the control API as a method."""

from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from threading import RLock
from typing import Any

from pydantic import ConfigDict, validate_call

from local.sandbox.faults import Fault
from local.sandbox.lifecycle import Lifecycle
from local.sandbox.message import RequestParts, ResponseParts
from local.sandbox.mono import answer, has_key
from local.sandbox.outbox import WebhookTarget
from local.sandbox.pages import Page
from local.sandbox.replay import Replay
from local.sandbox.switches import Switches
from local.sandbox.webhooks import EventName, Shape
from local.sandbox.world import DEFAULT_KEY, World

CHECKED = ConfigDict(arbitrary_types_allowed=True)


class Sandbox(Lifecycle):
    """A stand-in for Mono.

    Args:
        seed: Decides every id, name, amount and order.
        secret_key: The key that requests must carry.
        now: The instant at which its clock stands; None: it runs with the machine's.
        accounts: How many accounts it begins with.
        transactions: The length of their histories.
        replay: A folder of captured responses to serve besides.
    """

    def __init__(
        self,
        *,
        seed: str = "1",
        secret_key: str = DEFAULT_KEY,
        now: datetime | None = None,
        accounts: int = 0,
        transactions: int = 100,
        replay: Path | None = None,
    ) -> None:
        super().__init__(seed=seed, secret_key=secret_key, now=now)
        self._lock = RLock()
        self._genesis = (accounts, transactions, replay)
        self._begin()

    def respond(self, request: RequestParts) -> ResponseParts:
        """The answer to one request to Mono's API, faults included; safe to call from several threads."""
        with self._lock:
            response = self._struck(request)
            self.journal.record(self.clock.now(), request, has_key=has_key(self, request), status=response.status)
            return response

    def operate(self, operation: str, arguments: dict[str, Any]) -> Any:
        """Carry out an operation by its name, with its arguments checked against its signature."""
        with self._lock:
            return validate_call(config=CHECKED)(getattr(self, operation))(**arguments)

    def accounts(self) -> list[dict[str, Any]]:
        """Every link with its state."""
        return [
            {"id": link.id, "state": link.state, "data_status": link.data_status, "rows": len(link.copy.entries)}
            for link in self.links.values()
        ] + [{"id": account, "state": "replay", "rows": len(held.rows())} for account, held in self.replays.items()]

    def get_switches(self) -> Switches:
        """The switches in force."""
        return self.switches

    def set_switches(self, **changes: Any) -> Switches:
        """Turn some switches; the others stay."""
        self.switches = Switches.model_validate({**self.switches.model_dump(), **changes})
        return self.switches

    def inject(self, *faults: Fault) -> None:
        """Put faults in force."""
        for fault in faults:
            self.rules.inject(fault)

    def inject_faults(self, faults: list[Fault]) -> None:
        """Put faults in force."""
        self.inject(*faults)

    def list_faults(self) -> list[dict[str, Any]]:
        """The faults that were injected, and how often each has struck."""
        return [{**fault.model_dump(mode="json"), "struck": fault.struck} for fault in self.rules]

    def clear_faults(self) -> None:
        """End all faults."""
        self.rules.clear()

    def requests(self) -> list[dict[str, Any]]:
        """Every request to Mono's API since the last clearing, oldest first, without the key."""
        return [asdict(request) for request in self.journal.requests()]

    def clear_requests(self) -> None:
        """Forget what was asked."""
        self.journal.clear()

    def get_clock(self) -> dict[str, Any]:
        """The sandbox's instant and Lagos day."""
        return {"now": self.clock.now(), "today": self.clock.today()}

    def set_clock(
        self, *, now: datetime | None = None, advance_seconds: float = 0.0, advance_days: int = 0, runs: bool = False
    ) -> dict[str, Any]:
        """Set the clock to an instant (`runs`: and let it run on), then let time pass; jobs whose time comes end."""
        if now is not None:
            (self.clock.run_from if runs else self.clock.stand_at)(now)
        self.clock.advance(timedelta(days=advance_days, seconds=advance_seconds))
        self.settle()
        return self.get_clock()

    def set_webhook_target(self, **changes: Any) -> WebhookTarget:
        """Say where webhooks go and how; what is not named stays."""
        self.outbox.target = WebhookTarget.model_validate({**self.outbox.target.model_dump(), **changes})
        return self.outbox.target

    def set_app(self, *, app: str) -> None:
        """Let webhooks come from another app (`data.app`)."""
        self.app = app

    def fire_webhook(
        self,
        *,
        event: EventName | None = None,
        account: str | None = None,
        shape: Shape = "current",
        body: Any = None,
        secret: str | None = None,
        copies: int = 1,
    ) -> list[dict[str, Any]]:
        """Send a webhook at once, whatever the mode: an event about an account, or any body; `secret` may be wrong."""
        if event is not None and account is not None:
            self.announce(event, self.link(account), shape=shape)
            body = self.outbox.forget_last().body
        return [asdict(self.outbox.publish(body, secret=secret, at_once=True)) for _ in range(copies)]

    def webhooks(self) -> list[dict[str, Any]]:
        """Every webhook with its deliveries' answers."""
        return [asdict(webhook) for webhook in self.outbox.webhooks]

    def release_webhooks(self, *, numbers: list[int] | None = None) -> list[dict[str, Any]]:
        """Let held webhooks go, in this order; one named twice goes twice."""
        return [asdict(webhook) for webhook in self.outbox.release(numbers)]

    def clear_webhooks(self) -> None:
        """Forget all webhooks."""
        self.outbox.clear()

    def session_list(self) -> list[dict[str, Any]]:
        """The hosted links that were handed out."""
        return [asdict(session) for session in self.sessions.values()]

    def reset(self, *, seed: str | None = None, accounts: int | None = None, transactions: int | None = None) -> None:
        """Begin again: accounts as at the start or as said, no faults, no history, all switches as they were."""
        begun = self._genesis
        target, clock, app = self.outbox.target, self.clock, self.app
        World.__init__(self, seed=seed or self.seed, secret_key=self.secret_key)
        self.outbox.target, self.clock, self.app = target, clock, app
        self._genesis = (
            begun[0] if accounts is None else accounts,
            begun[1] if transactions is None else transactions,
            begun[2],
        )
        self._begin()

    def _begin(self) -> None:
        accounts, transactions, replay = self._genesis
        if replay is not None:
            captured = Replay.of(replay)
            self.replays[captured.account_id] = captured
        self.create_accounts(accounts, transactions=transactions)

    def _struck(self, request: RequestParts) -> ResponseParts:
        effects = self.rules.striking(request)
        served = request
        for effect in effects:
            served = effect.on_request(self, served)
        instead = [response for effect in effects if (response := effect.instead(self))]
        answered = instead[0] if instead else answer(self, served)
        if isinstance(answered, Page):
            for effect in effects:
                effect.on_page(answered, request)
            answered = answered.response(self.clock.now())
        for effect in effects:
            answered = effect.on_response(answered)
        return answered
