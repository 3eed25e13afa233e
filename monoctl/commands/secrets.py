"""`monoctl secrets`: into SSM as SecureStrings, never back onto a screen."""

import sys
from typing import Annotated

import typer
from rich.text import Text

from mono_pipeline.adapters.parameters import parameter_name
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.secret import Secret
from monoctl.secret_form import SecretForm, checked, generated, secret_form
from monoctl.secret_writing import CURRENT, begin_rotation, end_rotation, write_secrets
from monoctl.session import Session

app = typer.Typer(no_args_is_help=True, help="Secrets in SSM; written, never shown.")

FromStdin = Annotated[bool, typer.Option("--from-stdin", help="Read the value from standard input, one line.")]
Generate = Annotated[bool, typer.Option("--generate", help="Make up a random value (not for Mono's own key).")]


@app.command("set")
def put(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as MONO_SECRET_KEY or MONO_WEBHOOK_SECRET.")],
    *,
    from_stdin: FromStdin = False,
    generate: Generate = False,
) -> None:
    """Write a secret, asked for without echo unless an option says where it comes from."""
    session = Session.of(context)
    form = secret_form(name)
    value = _value(session, form, from_stdin=from_stdin, generate=generate)
    versions = write_secrets(session.reach.ssm, session.environment, {name: value}, description=_by(session))
    _show(session, versions)
    if generate:
        _how_to_read(session, name)


@app.command("rotate")
def rotate(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="MONO_WEBHOOK_SECRET.")],
    *,
    from_stdin: FromStdin = False,
    generate: Generate = False,
    end: Annotated[bool, typer.Option("--end", help="Accept the new one alone, once Mono sends it.")] = False,
) -> None:
    """Replace the webhook secret without refusing a webhook: both are accepted until --end."""
    session = Session.of(context)
    if name != CURRENT:
        raise InvalidInput("NAME", f"only {CURRENT} has a second place to rotate through; use `secrets set` for others")
    if end:
        end_rotation(session.reach.ssm, session.environment)
        session.output.result({"ended": name}, Text(f"{name}: the new secret alone is accepted."))
        return
    value = _value(session, secret_form(name), from_stdin=from_stdin, generate=generate)
    versions = begin_rotation(session.reach.ssm, session.environment, value, description=_by(session))
    _show(session, versions)
    if generate:
        _how_to_read(session, name)
    session.output.note("Both are accepted now. Give Mono the new one, see a webhook arrive, then: --end.")


def _value(session: Session, form: SecretForm, *, from_stdin: bool, generate: bool) -> Secret:
    if from_stdin and generate:
        raise InvalidInput("--generate", "and --from-stdin: give one of them")
    if generate:
        return generated(form)
    value, warnings = checked(form, _asked(form.name, from_stdin=from_stdin), session.environment)
    for sentence in warnings:
        session.output.note(sentence, style="yellow")
    return value


def _asked(name: str, *, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not has_terminal():
        raise InvalidInput(name, "cannot be asked for here: there is no terminal; use --from-stdin or --generate")
    typed: str = typer.prompt(name, hide_input=True, confirmation_prompt=True, err=True)
    return typed


def has_terminal() -> bool:
    """Return whether somebody can be asked."""
    return sys.stdin.isatty()


def _by(session: Session) -> str:
    return f"{session.wiring.now():%Y-%m-%dT%H:%M:%SZ} {session.reach.who}: monoctl secrets"


def _show(session: Session, versions: dict[str, int]) -> None:
    written = {parameter_name(session.environment, name): version for name, version in versions.items()}
    lines = [Text(f"{name}: version {version} is written.") for name, version in written.items()]
    session.output.result({"written": written}, *lines)


def _how_to_read(session: Session, name: str) -> None:
    where = parameter_name(session.environment, name)
    session.output.note(
        f"To hand it on: aws ssm get-parameter --name {where} --with-decryption --query Parameter.Value --output text"
    )
