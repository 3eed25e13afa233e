"""A deployment: the schema before the code that needs it, nothing guessed, and the database's authorities looked at."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local import deploy
from local.deploy import DeployRefused, check_bundle, steps, target
from local.template import ROOT, TEMPLATE

if TYPE_CHECKING:
    from pathlib import Path

NOW: Final = datetime(2026, 11, 24, tzinfo=UTC)
STACKS: Final = {
    "network": {"SubnetIds": "subnet-1,subnet-2", "FunctionsGroupId": "sg-1", "DatabaseGroupId": "sg-2"},
    "database": {"DatabaseHost": "db.example", "DatabaseResourceId": "db-ABC", "MasterSecretArn": "arn"},
}


def authority(name: str = "Amazon RDS eu-west-1 Root CA", *, days: int = 10, issuer: str | None = None) -> str:
    """A certificate as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer or name)]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=100))
        .not_valid_after(NOW + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_a_bundle_of_the_database_s_authorities_is_taken() -> None:
    """Each is Amazon RDS's own root."""
    assert check_bundle(authority() + authority("Amazon RDS eu-west-2 Root CA"), now=NOW) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>not found</html>",
        authority("Somebody Else"),
        authority("Amazon RDS leaf", issuer="Amazon RDS eu-west-1 Root CA"),
        authority(days=-1),
        authority() + authority("Somebody Else"),
    ],
    ids=["empty", "a page", "another's", "no root", "past", "one of another's"],
)
def test_any_other_bundle_stops_the_deployment(text: str) -> None:
    """Whom the functions believe that they are the database is not left to a download."""
    with pytest.raises(DeployRefused):
        check_bundle(text, now=NOW)


def provided(monkeypatch: pytest.MonkeyPatch, bundle: Path, download: str | None) -> list[str]:
    """Have the bundle provided, with this to be downloaded or nothing; the names that are trusted then."""

    def fetch(url: str, **_: object) -> io.BytesIO:
        assert (url, download is not None) == (deploy.BUNDLE_URL, True)
        return io.BytesIO((download or "").encode())

    monkeypatch.setattr(deploy, "BUNDLE", bundle)
    monkeypatch.setattr(deploy.urllib.request, "urlopen", fetch)
    deploy.provide_bundle()
    names = (
        each.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        for each in x509.load_pem_x509_certificates(bundle.read_bytes())
    )
    return sorted(str(name.value) for (name,) in names)


TRUSTED: Final = ["Amazon RDS eu-west-1 Root CA", *(f"Amazon Root CA {number}" for number in range(1, 5))]


def test_the_layer_trusts_the_database_s_authorities_and_its_proxy_s(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """RDS Proxy shows certificates of Amazon's public authority: by the bundle of RDS alone nobody could connect."""
    bundle = tmp_path / "rds-ca.pem"
    assert provided(monkeypatch, bundle, authority(days=36_500)) == TRUSTED
    whole = bundle.read_bytes()
    assert provided(monkeypatch, bundle, None) == TRUSTED
    assert bundle.read_bytes() == whole


def test_a_bundle_from_before_there_was_a_proxy_is_completed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without fetching it again."""
    bundle = tmp_path / "rds-ca.pem"
    bundle.write_text(authority(days=36_500))
    assert provided(monkeypatch, bundle, None) == TRUSTED


def test_what_is_no_bundle_does_not_stay_in_the_layer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The next deployment fetches it anew."""
    bundle = tmp_path / "rds-ca.pem"
    with pytest.raises(DeployRefused):
        provided(monkeypatch, bundle, authority("Somebody Else", days=36_500))
    assert not bundle.exists()


def test_the_schema_changes_before_the_application_and_after_the_builds() -> None:
    """What cannot be built changes nothing; the application comes last."""
    order = [what for what, _ in steps(target("dev", STACKS))]
    assert order == [
        deploy.BUILD_MIGRATIONS,
        deploy.BUILD_APPLICATION,
        deploy.DEPLOY_MIGRATIONS,
        deploy.DEPLOY_APPLICATION,
    ]


def test_a_schema_that_cannot_be_changed_stops_before_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code that is live goes on with the schema that it has."""
    ran: list[str] = []
    monkeypatch.setattr(deploy, "provide_bundle", lambda: None)
    monkeypatch.setattr(deploy, "read_stacks", lambda _environment: STACKS)
    monkeypatch.setattr(deploy, "compile_artifacts", lambda folder: ran.append(f"bytecode {folder.name}"))

    def sam(*arguments: str, **_: object) -> int:
        ran.append(" ".join(arguments[:3]))
        return 0

    def refuse(_environment: str, phase: str) -> list[str]:
        ran.append(f"migrate {phase}")
        raise DeployRefused("lock timeout")

    monkeypatch.setattr(deploy, "run_sam", sam)
    monkeypatch.setattr(deploy, "migrate", refuse)

    assert deploy.main(["dev"]) == 1
    assert ran[-1] == "migrate pre"
    assert ran.index("bytecode deploy") < ran.index("migrate pre")
    assert not [each for each in ran if each.startswith(f"deploy --template-file {deploy.BUILT}/")]


def test_the_stacks_beside_it_say_where_everything_is() -> None:
    """Names of outputs are names in the stacks' templates, and each parameter goes to whoever has it."""
    application = target("prod", STACKS).overrides(TEMPLATE)
    assert {"DatabaseHost=db.example", "SubnetIds=subnet-1,subnet-2", "SecurityGroupIds=sg-1"} <= set(application)
    assert {"Environment=prod", "AccessLogs=true", "DatabaseCaFile=/opt/python/rds-ca.pem"} <= set(application)
    migrations = target("prod", STACKS).overrides(deploy.MIGRATIONS_TEMPLATE)
    assert "DatabaseResourceId=db-ABC" in migrations
    assert not [each for each in migrations if each.startswith(("AccessLogs", "DomainName"))]
    for stack, names in deploy.OUTPUTS.items():
        written = (ROOT / "infra" / f"{stack}.yaml").read_text().partition("\nOutputs:\n")[2]
        for output in names:
            assert f"\n  {output}:\n" in f"\n{written}", (stack, output)


def test_what_samconfig_says_goes_before_the_stacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who has a database of their own writes it there."""
    own = ROOT / "samconfig.toml"
    text = own.read_text().replace('"Environment=dev"', '"Environment=dev", "DatabaseHost=mine.example"')
    path = tmp_path / "samconfig.toml"
    path.write_text(text)
    monkeypatch.setattr(deploy, "SAMCONFIG", path)

    assert target("dev", STACKS).parameters["DatabaseHost"] == "mine.example"


@pytest.mark.parametrize("environment", deploy.ENVIRONMENTS)
def test_every_environment_is_configured(environment: str) -> None:
    """And names itself."""
    assert target(environment, {}).parameters["Environment"] == environment
