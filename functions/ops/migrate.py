"""The migrations' own function (infra/migrations.yaml): the schema first, then the code that needs it.

It reads no secret and no setting but where the database is, so that it can run before either exists.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3

from mono_pipeline.adapters.migrator import migrate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

MIGRATIONS = Path(os.environ.get("LAMBDA_TASK_ROOT", ".")) / "migrations"


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """`{"phase": "pre"}` before the new code is live, `{"phase": "all"}` after the old code is gone."""
    phase = event.get("phase", "pre")
    if phase not in ("pre", "all"):
        raise ValueError("phase is `pre` or `all`")
    trusted = ssl.create_default_context(cafile=os.environ.get("DATABASE_CA_FILE") or None)
    return {"applied": list(migrate(owner_url(os.environ), MIGRATIONS, phase=phase, ssl_context=trusted))}


def owner_url(environ: Mapping[str, str]) -> str:
    """The database as its owner, with a token that AWS IAM signs on this machine and that is good for 15 minutes."""
    host, port, owner = (environ[name] for name in ("DATABASE_HOST", "DATABASE_PORT", "DATABASE_OWNER"))
    token = boto3.client("rds").generate_db_auth_token(DBHostname=host, Port=int(port), DBUsername=owner)
    return f"postgresql://{quote(owner)}:{quote(token, safe='')}@{host}:{port}/{quote(environ['DATABASE_NAME'])}"
