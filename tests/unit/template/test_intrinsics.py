"""CloudFormation's functions, resolved offline."""

from __future__ import annotations

from typing import Any

import pytest

from local.intrinsics import Intrinsics, Unresolvable


def attribute(resource: str, name: str) -> str:
    """A stack in which every resource has every attribute."""
    return f"{resource}/{name}"


INTRINSICS = Intrinsics(
    refs={"Env": "prod", "Empty": "", "Many": ["a", "b"]},
    get_att=attribute,
    conditions={
        "Prod": {"Fn::Equals": [{"Ref": "Env"}, "prod"]},
        "Given": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Empty"}, ""]}]},
        "Both": {"Fn::And": [{"Condition": "Prod"}, {"Condition": "Given"}]},
        "Either": {"Fn::Or": [{"Condition": "Prod"}, {"Condition": "Given"}]},
    },
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"Ref": "Env"}, "prod"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "Queue/Arn"),
        ({"Fn::GetAtt": "Queue.Arn"}, "Queue/Arn"),
        ({"Fn::Sub": "x-${Env}-${Queue.Arn}-${!literal}"}, "x-prod-Queue/Arn-${literal}"),
        ({"Fn::Sub": ["${Own}-${Env}", {"Own": {"Ref": "Env"}}]}, "prod-prod"),
        ({"Fn::Join": ["", {"Ref": "Many"}]}, "ab"),
        ({"Fn::Select": [1, {"Ref": "Many"}]}, "b"),
        ({"Fn::If": ["Prod", 1, 2]}, 1),
        ({"Fn::If": ["Both", 1, 2]}, 2),
        ({"Fn::If": ["Either", 1, 2]}, 1),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 3]}, {"b": [3]}),
        ({"nested": [{"deep": {"Ref": "Env"}}]}, {"nested": [{"deep": "prod"}]}),
    ],
)
def test_a_value_is_what_cloudformation_would_make_of_it(written: Any, meant: Any) -> None:
    """Each function as its documentation says."""
    assert INTRINSICS.resolve(written) == meant


@pytest.mark.parametrize(
    "written", [{"Ref": "Nobody"}, {"Fn::Sub": "${Nobody}"}, {"Fn::ImportValue": "x"}, {"Fn::If": ["Nobody", 1, 2]}]
)
def test_what_cannot_be_resolved_is_an_error_not_a_guess(written: Any) -> None:
    """An unknown name or function stops the stack, instead of ending up in a function's environment."""
    with pytest.raises(Unresolvable):
        INTRINSICS.resolve(written)
