"""What moto's CloudFormation can be given of a template, and the artifacts that a template names."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import boto3

from local.sam import REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from local.template import Template

STAND_IN_ARN = f"arn:aws:stand-in:{REGION}:123456789012:"


def deployable(
    template: Template, *, without: Collection[str], change: Callable[[Any, Collection[str]], Any]
) -> dict[str, Any]:
    """The document less the resources of some kinds, without `DependsOn`.

    `change` is asked about each node, with the logical ids that are gone: it answers with what stands in its place, or
    with the node itself.
    """
    document = dict(template.document)
    resources = document["Resources"]
    gone = {logical_id for logical_id, resource in resources.items() if resource["Type"] in without}
    document["Resources"] = {name: resource for name, resource in resources.items() if name not in gone}
    document.pop("Rules", None)
    changed: dict[str, Any] = _changed(document, lambda node: change(node, gone))
    return changed


def _changed(node: Any, change: Callable[[Any], Any]) -> Any:
    if (instead := change(node)) is not node:
        return instead
    match node:
        case dict():
            return {key: _changed(value, change) for key, value in node.items() if key != "DependsOn"}
        case list():
            return [_changed(value, change) for value in node]
    return node


def upload(logical_ids: Collection[str]) -> None:
    """An empty handler for each artifact that functions and layers name."""
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return {}\n")
    for logical_id in logical_ids:
        s3.put_object(Bucket="artifacts", Key=logical_id, Body=packed.getvalue())
