"""`make deploy ENV=dev|staging|prod`: build, schema, application, in this order; `--migrate-post` ends a release.

What it is told by nobody it reads from the stacks beside the application (infra/), where they are deployed.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import tomllib
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import boto3
import certifi
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from cryptography import x509

from local.build import compile_artifacts
from local.sam import REGION, run_sam
from local.template import ROOT, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ENVIRONMENTS: Final = ("dev", "staging", "prod")
BUNDLE: Final = ROOT / "layers" / "common" / "rds-ca.pem"
BUNDLE_URL: Final = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
MIGRATIONS_TEMPLATE: Final = ROOT / "infra" / "migrations.yaml"
SAMCONFIG: Final = ROOT / "samconfig.toml"
BUILT: Final = ROOT / ".aws-sam" / "deploy"
BUILT_MIGRATIONS: Final = ROOT / ".aws-sam" / "deploy-migrations"
BUILD_MIGRATIONS: Final = "build the migrations"
BUILD_APPLICATION: Final = "build the application"
DEPLOY_MIGRATIONS: Final = "deploy the migrations"
DEPLOY_APPLICATION: Final = "deploy the application"
_MOST_BYTES: Final = 2_000_000
_AMAZON_ROOTS: Final = {(("commonName", f"Amazon Root CA {number}"),) for number in range(1, 5)}
# Longer than the migrations' function may take (infra/migrations.yaml); asked once: a second would meet the first.
_MIGRATION: Final = Config(read_timeout=930, tcp_keepalive=True, retries={"total_max_attempts": 1})
# Which output of which stack is which parameter of the application and of the migrations.
OUTPUTS: Final = {
    "network": {"SubnetIds": "SubnetIds", "FunctionsGroupId": "SecurityGroupIds"},
    "database": {"DatabaseHost": "DatabaseHost", "DatabaseResourceId": "DatabaseResourceId"},
    "domain": {"DomainName": "DomainName"},
}


class DeployRefused(Exception):
    """The deployment was not begun, or ended half-way; the message says where and what to do."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One environment and the parameters that its stacks give."""

    environment: str
    parameters: Mapping[str, str]

    def overrides(self, template: Path) -> list[str]:
        """`Name=value` of those that the template at `template` has."""
        declared = template.read_text()
        given = {"DatabaseCaFile": "/opt/python/rds-ca.pem", **self.parameters}
        return [f"{name}={value}" for name, value in given.items() if f"\n  {name}:\n" in declared]


def check_bundle(text: str, *, now: datetime) -> int:
    """Return how many certificates a bundle of Amazon RDS holds.

    Raises:
        DeployRefused: it holds none, or one that is not an authority of Amazon RDS, or is past its time.
    """
    found = x509.load_pem_x509_certificates(text.encode()) if "BEGIN CERTIFICATE" in text else []
    if not found:
        raise DeployRefused("the certificate bundle of Amazon RDS holds no certificate")
    for certificate in found:
        subject = certificate.subject.rfc4514_string()
        if "Amazon RDS" not in subject or certificate.subject != certificate.issuer:
            raise DeployRefused(
                f"the certificate bundle of Amazon RDS holds {subject}, which is none of its authorities"
            )
        if certificate.not_valid_after_utc <= now:
            raise DeployRefused(f"{subject} is past its time: delete {BUNDLE.name} to fetch the bundle anew")
    return len(found)


def amazon_roots() -> str:
    """Amazon's own roots out of the locked certifi, as PEM: they sign for an RDS Proxy, as no authority of RDS does."""
    context = ssl.create_default_context(cafile=certifi.where())
    told = zip(context.get_ca_certs(), context.get_ca_certs(binary_form=True), strict=True)
    return "".join(ssl.DER_cert_to_PEM_cert(whole) for each, whole in told if _AMAZON_ROOTS & {*each["subject"]})


def provide_bundle() -> None:
    """Have in the layer whom the database is signed by, and its proxy; what is there already is kept and looked at."""
    kept = BUNDLE.read_text() if BUNDLE.exists() else None
    if kept is None:
        with urllib.request.urlopen(BUNDLE_URL, timeout=30) as answer:
            text = answer.read(_MOST_BYTES).decode()
    else:
        text = kept
    roots = amazon_roots()
    of_rds = text.replace(roots, "")
    count = check_bundle(of_rds, now=datetime.now(UTC))
    if kept != (whole := of_rds + roots):
        BUNDLE.write_text(whole)
    print(f"deploy: {count} authorities of Amazon RDS in the layer, and Amazon's own roots for its proxy")


def target(environment: str, stacks: Mapping[str, Mapping[str, str]]) -> Target:
    """What samconfig.toml says of the environment, and what the stacks `network`, `database` and `domain` put out."""
    written = tomllib.loads(SAMCONFIG.read_text())[environment]["deploy"]["parameters"]["parameter_overrides"]
    found = dict(each.split("=", 1) for each in written)
    for stack, names in OUTPUTS.items():
        for output, parameter in names.items():
            if output in stacks.get(stack, {}):
                found.setdefault(parameter, stacks[stack][output])
    return Target(environment=environment, parameters=found)


def read_stacks(environment: str) -> dict[str, dict[str, str]]:
    """The outputs of the stacks beside the application that exist."""
    cloudformation = boto3.client("cloudformation", region_name=REGION)
    found = {}
    for stack in OUTPUTS:
        try:
            answer = cloudformation.describe_stacks(StackName=f"mono-pipeline-{environment}-{stack}")
        except ClientError as error:
            if "does not exist" in str(error):
                continue
            raise
        outputs = answer["Stacks"][0].get("Outputs", [])
        found[stack] = {each["OutputKey"]: each["OutputValue"] for each in outputs}
    return found


def steps(where: Target) -> Iterator[tuple[str, list[str]]]:
    """The SAM commands of a deployment and what each is for, in order; the schema is changed before the last."""
    stack, config = f"mono-pipeline-{where.environment}", ("--config-env", where.environment)
    migrations = ("--parameter-overrides", *where.overrides(MIGRATIONS_TEMPLATE))
    application = ("--parameter-overrides", *where.overrides(TEMPLATE))
    source = ("--template-file", str(MIGRATIONS_TEMPLATE))
    yield BUILD_MIGRATIONS, ["build", *source, "--build-dir", str(BUILT_MIGRATIONS), *config, *migrations]
    yield BUILD_APPLICATION, ["build", "--build-dir", str(BUILT), *config, *application]
    named = ("--template-file", str(BUILT_MIGRATIONS / "template.yaml"), "--stack-name", f"{stack}-migrations")
    yield DEPLOY_MIGRATIONS, ["deploy", *named, "--no-confirm-changeset", *config, *migrations]
    named = ("--template-file", str(BUILT / "template.yaml"), "--stack-name", stack)
    yield DEPLOY_APPLICATION, ["deploy", *named, *config, *application]


def migrate(environment: str, phase: str) -> list[str]:
    """Invoke the migrations' function and return what it applied.

    Raises:
        DeployRefused: it failed; nothing of it stays, and the code that is live goes on. Or nobody knows, and it can be
            done again.
    """
    client = boto3.client("lambda", region_name=REGION, config=_MIGRATION)
    name = f"mono-pipeline-{environment}-migrate"
    try:
        answer = client.invoke(FunctionName=name, Payload=json.dumps({"phase": phase}).encode())
        document: dict[str, Any] = json.loads(answer["Payload"].read())
    except (BotoCoreError, ClientError) as unanswered:
        raise DeployRefused(
            f"{name} did not answer ({unanswered}): see its log group whether it is at work still, then deploy again; "
            "what was applied is not applied a second time"
        ) from unanswered
    if "FunctionError" in answer:
        raise DeployRefused(f"the schema could not be changed: {document.get('errorMessage')} (log group of {name})")
    applied: list[str] = document["applied"]
    return applied


def deploy(environment: str) -> None:
    """All of it; stops at the first step that fails."""
    provide_bundle()
    for what, arguments in steps(target(environment, read_stacks(environment))):
        if what == DEPLOY_MIGRATIONS:
            compile_artifacts(BUILT_MIGRATIONS)
            compile_artifacts(BUILT)
        if what == DEPLOY_APPLICATION:
            print(f"deploy: schema: {', '.join(migrate(environment, 'pre')) or 'nothing to apply'}")
        print(f"deploy: {what}", flush=True)
        if code := run_sam(*arguments, cwd=ROOT):
            raise DeployRefused(f"could not {what}: sam ended with {code}")


def main(argv: list[str]) -> int:
    """Deploy, or with `--migrate-post` only apply what waits until the old code is gone."""
    parser = argparse.ArgumentParser(prog="python -m local.deploy", description=__doc__)
    parser.add_argument("environment", choices=ENVIRONMENTS)
    parser.add_argument("--migrate-post", action="store_true", help="after the release is signed off")
    given = parser.parse_args(argv)
    try:
        if given.migrate_post:
            print(", ".join(migrate(given.environment, "all")) or "nothing to apply")
        else:
            deploy(given.environment)
    except DeployRefused as refused:
        print(f"deploy: {refused}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
