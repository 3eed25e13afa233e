"""CloudFormation's intrinsic functions and conditions, resolved offline."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

NO_VALUE: Final = object()
_PLACEHOLDER: Final = re.compile(r"\$\{([^!][^}]*)\}")

type GetAtt = Callable[[str, str], str]


class Unresolvable(Exception):
    """The template uses a name or function that cannot be resolved offline."""


@dataclass(frozen=True, kw_only=True)
class Intrinsics:
    """Resolves values of a template.

    `refs` answers `Ref` (parameters, pseudo parameters, resources), `get_att` answers `Fn::GetAtt` and raises
    `Unresolvable` for what it does not know, `conditions` are the template's own, unresolved.
    """

    refs: Mapping[str, Any]
    get_att: GetAtt
    conditions: Mapping[str, Any]

    def resolve(self, value: Any) -> Any:
        """The value without intrinsic functions; mapping entries and list items that are `AWS::NoValue` are gone.

        Raises:
            Unresolvable: a function or a name is not known.
        """
        if isinstance(value, Mapping):
            if len(value) == 1:
                ((verb, argument),) = value.items()
                if verb in ("Ref", "Condition") or (isinstance(verb, str) and verb.startswith("Fn::")):
                    return self._call(verb, argument)
            resolved = {key: self.resolve(item) for key, item in value.items()}
            return {key: item for key, item in resolved.items() if item is not NO_VALUE}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        return value

    def holds(self, condition: str) -> bool:
        """Whether a named condition of the template is true.

        Raises:
            Unresolvable: the template has no such condition.
        """
        if condition not in self.conditions:
            raise Unresolvable(f"condition {condition}")
        return self._truth(self.conditions[condition])

    def _call(self, verb: str, argument: Any) -> Any:
        verbs: Mapping[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": lambda path: self.get_att(*(path.split(".", 1) if isinstance(path, str) else path)),
            "Fn::Sub": self._sub,
            "Fn::Join": lambda given: given[0].join(str(item) for item in self.resolve(given[1])),
            "Fn::If": lambda given: self.resolve(given[1] if self.holds(given[0]) else given[2]),
            "Fn::Select": lambda given: self.resolve(given[1])[int(given[0])],
        }
        return verbs[verb](argument) if verb in verbs else self._truth({verb: argument})

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name not in self.refs:
            raise Unresolvable(f"Ref {name}")
        return self.refs[name]

    def _sub(self, argument: Any) -> str:
        text, extra = (argument, {}) if isinstance(argument, str) else argument

        def name_to_value(found: re.Match[str]) -> str:
            name = found[1]
            if name in extra:
                return str(self.resolve(extra[name]))
            if "." in name:
                return self.get_att(*name.split(".", 1))
            return str(self._ref(name))

        return _PLACEHOLDER.sub(name_to_value, text).replace("${!", "${")

    def _truth(self, expression: Any) -> bool:
        ((verb, argument),) = expression.items()
        match verb:
            case "Condition":
                return self.holds(argument)
            case "Fn::Equals":
                left, right = self.resolve(argument)
                return bool(left == right)
            case "Fn::Not":
                return not self._truth(argument[0])
            case "Fn::And":
                return all(map(self._truth, argument))
            case "Fn::Or":
                return any(map(self._truth, argument))
        raise Unresolvable(f"condition function {verb}")
