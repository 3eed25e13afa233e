"""The SAM template as CloudFormation would read it: expanded offline, parameters resolved, in typed views.

`python -m local.template validate` lints it with `sam validate --lint`.
"""

from __future__ import annotations

import functools
import logging
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from boto3.session import Session
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from local.intrinsics import Intrinsics, Unresolvable
from local.resources import EventSource, Function, Parameter, Queue, Route, Schedule
from local.sam import REGION, run_sam

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT: Final = Path(__file__).resolve().parent.parent
TEMPLATE: Final = ROOT / "template.yaml"
ACCOUNT: Final = "000000000000"  # the AWS stand-in's
_ARTIFACTS: Final = "artifacts"  # a bucket that is never made: SAM wants code in S3, we want its folder's name
_INVOKED: Final = re.compile(r"functions/(arn:[^/]+)/invocations")


class Template:
    """One expansion of the template; made by `Template.expand`."""

    def __init__(self, document: Mapping[str, Any], *, parameters: Mapping[str, str], aws_endpoint: str) -> None:
        self.document = document
        self.stack_name = f"mono-pipeline-{parameters['Environment']}"
        self._aws_endpoint = aws_endpoint
        self.intrinsics = Intrinsics(
            refs=_References(self, parameters), get_att=self._attribute, conditions=document.get("Conditions", {})
        )

    @classmethod
    def expand(
        cls,
        path: Path = TEMPLATE,
        *,
        parameters: Mapping[str, str] | None = None,
        aws_endpoint: str = "http://127.0.0.1:4566",
    ) -> Self:
        """Expand the SAM template at `path`.

        Args:
            path: the SAM template.
            parameters: values that override the template's defaults.
            aws_endpoint: where SQS answers: a `Ref` of a queue is its URL there.

        Raises:
            ValueError: a parameter is not the template's.
        """
        sam = yaml_parse(path.read_text())
        declared = sam.get("Parameters", {})
        if strangers := set(parameters or {}) - set(declared):
            raise ValueError(f"{path.name} has no parameter {', '.join(sorted(strangers))}")
        given = {name: str(spec["Default"]) for name, spec in declared.items() if "Default" in spec}
        given.update(parameters or {})
        for logical_id, resource in sam["Resources"].items():
            _pretend_uploaded(logical_id, resource)
        logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of toggles that only AWS has
        translator = Translator(
            managed_policy_map={}, sam_parser=Parser(), plugins=[], boto_session=Session(region_name=REGION)
        )
        document = translator.translate(sam_template=sam, parameter_values=given)
        return cls(document, parameters=given, aws_endpoint=aws_endpoint)

    def of_type(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """(logical id, properties as written) of each resource of one type whose condition holds."""
        for logical_id, resource in self.document["Resources"].items():
            condition = resource.get("Condition")
            if resource["Type"] == kind and (condition is None or self.intrinsics.holds(condition)):
                yield logical_id, resource.get("Properties", {})

    def resolved(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """As `of_type`, with the properties resolved."""
        for logical_id, properties in self.of_type(kind):
            yield logical_id, self.intrinsics.resolve(properties)

    @functools.cached_property
    def functions(self) -> Mapping[str, Function]:
        """The functions by logical id."""
        configs = {config["FunctionName"]: config for _, config in self.resolved("AWS::Lambda::EventInvokeConfig")}
        return {
            logical_id: Function.of(
                logical_id,
                properties,
                layers=self._layers(logical_id),
                invoke_config=configs.get(properties["FunctionName"], {}),
            )
            for logical_id, properties in self.resolved("AWS::Lambda::Function")
        }

    @functools.cached_property
    def routes(self) -> tuple[Route, ...]:
        """The API's routes, from its OpenAPI body."""
        return tuple(
            Route(
                method=method.upper(),
                path=path,
                function=self._integrated(operation["x-amazon-apigateway-integration"]["uri"]),
                is_open=operation.get("security") == [{"NONE": []}],
            )
            for _, api in self.of_type("AWS::ApiGateway::RestApi")
            for path, methods in api["Body"]["paths"].items()
            for method, operation in methods.items()
        )

    @functools.cached_property
    def queues(self) -> tuple[Queue, ...]:
        """The queues, dead-letter queues first (a redrive policy needs its target)."""
        found = (
            Queue.of(
                logical_id,
                properties,
                arn=self.arn("sqs", properties["QueueName"]),
                url=self.reference(logical_id),
            )
            for logical_id, properties in self.resolved("AWS::SQS::Queue")
        )
        return tuple(sorted(found, key=lambda queue: queue.dead_letter_arn is not None))

    @functools.cached_property
    def event_sources(self) -> tuple[EventSource, ...]:
        """Which function works off which queue."""
        return tuple(
            EventSource.of(properties, function=self._function_of(properties["FunctionName"]))
            for _, properties in self.resolved("AWS::Lambda::EventSourceMapping")
        )

    @functools.cached_property
    def schedules(self) -> tuple[Schedule, ...]:
        """The schedules of EventBridge Scheduler."""
        return tuple(
            Schedule.of(properties, function=self._function_of(properties["Target"]["Arn"]))
            for _, properties in self.resolved("AWS::Scheduler::Schedule")
        )

    @functools.cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The SSM parameters."""
        return tuple(Parameter.of(properties) for _, properties in self.resolved("AWS::SSM::Parameter"))

    @functools.cached_property
    def stage(self) -> str:
        """The API's stage."""
        return next(str(stage["StageName"]) for _, stage in self.resolved("AWS::ApiGateway::Stage"))

    def arn(self, service: str, resource: str) -> str:
        """An ARN in this expansion's account and Region."""
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"

    def reference(self, logical_id: str) -> str:
        """What `Ref` of a resource gives: an SQS queue's URL, an alias's ARN, else its name."""
        properties = self.naming(logical_id)
        match self.document["Resources"][logical_id]["Type"]:
            case "AWS::SQS::Queue":
                return f"{self._aws_endpoint}/{ACCOUNT}/{properties['QueueName']}"
            case "AWS::Lambda::Alias":
                return self.arn("lambda", f"function:{properties['FunctionName']}:{properties['Name']}")
        names = (
            properties[key] for key in ("FunctionName", "LogGroupName", "RepositoryName", "Name") if key in properties
        )
        return str(next(names, logical_id))

    def naming(self, logical_id: str) -> dict[str, Any]:
        """The resource's properties that name it, resolved (the others may refer to it in a circle)."""
        properties = self.document["Resources"][logical_id].get("Properties", {})
        keys = ("QueueName", "FunctionName", "LogGroupName", "LayerName", "StateMachineName", "RepositoryName", "Name")
        return {key: self.intrinsics.resolve(properties[key]) for key in keys if key in properties}

    def _attribute(self, logical_id: str, attribute: str) -> str:
        if logical_id not in self.document["Resources"]:
            raise Unresolvable(f"GetAtt {logical_id}.{attribute}")
        known: Mapping[tuple[str, str], Callable[[], str]] = {
            ("AWS::SQS::Queue", "Arn"): lambda: self.arn("sqs", self.naming(logical_id)["QueueName"]),
            ("AWS::SQS::Queue", "QueueName"): lambda: self.naming(logical_id)["QueueName"],
            ("AWS::Lambda::Function", "Arn"): lambda: self.arn("lambda", f"function:{self.reference(logical_id)}"),
            ("AWS::Logs::LogGroup", "Arn"): lambda: self.arn("logs", f"log-group:{self.reference(logical_id)}:*"),
            ("AWS::StepFunctions::StateMachine", "Arn"): lambda: self.arn(
                "states", f"stateMachine:{self.naming(logical_id)['StateMachineName']}"
            ),
            ("AWS::CloudWatch::Alarm", "Arn"): lambda: self.arn("cloudwatch", f"alarm:{self.stack_name}-{logical_id}"),
            ("AWS::IAM::Role", "Arn"): lambda: f"arn:aws:iam::{ACCOUNT}:role/{logical_id}",
            ("AWS::KMS::Key", "Arn"): lambda: self.arn("kms", f"key/{logical_id}"),
            ("AWS::RDS::DBInstance", "DbiResourceId"): lambda: f"db-{logical_id}",
            ("AWS::ECR::Repository", "Arn"): lambda: self.arn("ecr", f"repository/{self.reference(logical_id)}"),
            ("AWS::WAFv2::WebACL", "Arn"): lambda: self.arn("wafv2", f"regional/webacl/{logical_id}"),
            ("AWS::Lambda::Version", "Version"): lambda: "1",
        }
        answer = known.get((self.document["Resources"][logical_id]["Type"], attribute))
        if answer is None:
            raise Unresolvable(f"GetAtt {logical_id}.{attribute}")
        return answer()

    def _layers(self, logical_id: str) -> tuple[str, ...]:
        layers = self.document["Resources"][logical_id]["Properties"].get("Layers", [])
        versions = (self.document["Resources"][layer["Ref"]] for layer in layers)
        return tuple(version["Properties"]["Content"]["S3Key"] for version in versions)

    def _integrated(self, uri: Any) -> str:
        found = _INVOKED.search(self.intrinsics.resolve(uri))
        if found is None:
            raise Unresolvable(f"integration {uri}")
        return self._function_of(found[1])

    def _function_of(self, alias_arn: str) -> str:
        name = alias_arn.split(":")[6]
        return next(function.logical_id for function in self.functions.values() if function.name == name)


def parameters_by_variable(path: Path = TEMPLATE) -> dict[str, str]:
    """Names of the template's parameters by the function variable that is a `Ref` to it, for all functions."""
    sam = yaml_parse(path.read_text())
    variables = sam["Globals"]["Function"]["Environment"]["Variables"]
    references = {name: value["Ref"] for name, value in variables.items() if isinstance(value, dict) and "Ref" in value}
    return {name: parameter for name, parameter in references.items() if parameter in sam["Parameters"]}


class _References(dict[str, Any]):
    """What `Ref` knows: parameters, pseudo parameters and, on demand, resources."""

    def __init__(self, template: Template, parameters: Mapping[str, str]) -> None:
        kinds = {name: spec["Type"] for name, spec in template.document.get("Parameters", {}).items()}
        super().__init__(
            {
                name: value.split(",") if kinds.get(name) == "CommaDelimitedList" else value
                for name, value in parameters.items()
            }
        )
        self["AWS::AccountId"] = ACCOUNT
        self["AWS::Region"] = REGION
        self["AWS::Partition"] = "aws"
        self["AWS::URLSuffix"] = "amazonaws.com"
        self["AWS::StackName"] = template.stack_name
        self._template = template

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._template.document["Resources"]

    def __missing__(self, name: str) -> str:
        return self._template.reference(name)


def _pretend_uploaded(logical_id: str, resource: dict[str, Any]) -> None:
    where = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
    if resource["Type"] in where:
        resource["Properties"][where[resource["Type"]]] = f"s3://{_ARTIFACTS}/{logical_id}"


def main(argv: list[str]) -> int:
    """`validate`: lint the template; the exit code is SAM's."""
    if argv != ["validate"]:
        print("usage: python -m local.template validate", file=sys.stderr)
        return 2
    return run_sam("validate", "--lint", "--template-file", str(TEMPLATE))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
