"""Drives a sandbox in another process through its control API, with the methods of `Sandbox`."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote

import httpx
from pydantic_core import to_json

from local.sandbox.control import PREFIX, ROUTES, Route

PATIENCE_SECONDS = 120.0


class SandboxRefused(RuntimeError):
    """The control API refused an operation; says why."""


class SandboxClient:
    """Has every operation of `Sandbox` that the control API has, by the same name and arguments, answering JSON.

    Arguments go by name, but an account, job or session may come first as in `client.add(account, count=2)`.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url + PREFIX, timeout=PATIENCE_SECONDS, trust_env=False)

    def __getattr__(self, operation: str) -> Any:
        for route in ROUTES:
            if route.operation == operation:
                return partial(self._operate, route)
        raise AttributeError(operation)

    def inject(self, *faults: Any) -> None:
        """Put faults in force: `Fault` objects, or their JSON as dicts."""
        self.inject_faults(faults=list(faults))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _operate(self, route: Route, /, *places: Any, **arguments: Any) -> Any:
        path = route.path
        for place in places:
            path = path.replace(path[path.index("{") : path.index("}") + 1], quote(str(place)), 1)
        for name in [name for name in arguments if "{" + name + "}" in path]:
            path = path.replace("{" + name + "}", quote(str(arguments.pop(name))))
        response = self._http.request(route.method, path, content=to_json(arguments))
        if response.is_error:
            raise SandboxRefused(response.json()["error"])
        return response.json()
