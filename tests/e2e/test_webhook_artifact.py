"""The webhook function as it is shipped: what it loads by the time it has answered."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from local.build import build
from local.lambda_runtime import function_environment, make_runtime_folder
from local.template import Template

HEAVY = ("pydantic", "pydantic_core", "httpx", "httpcore", "pg8000", "aws_lambda_powertools", "sqlalchemy")
# the secret is in the environment, as only `local` allows, and nobody listens where AWS should be
ANSWER = f"""
import json, os, sys
os.environ |= {{"ENVIRONMENT": "local", "MONO_WEBHOOK_SECRET": "s" * 40, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}}
import app
code = app.handler({{"headers": {{}}, "body": "{{}}"}}, None)["statusCode"]
print(json.dumps([code, "botocore" in sys.modules, sorted(set({HEAVY!r}) & set(sys.modules))]))
"""


def test_the_shipped_function_loads_no_database_and_no_model_library(tmp_path: Path) -> None:
    """After a whole request, with the AWS SDK in place and SSM asked."""
    function = Template.expand(parameters={"Environment": "local"}).functions["Webhook"]
    environment = function_environment(
        function,
        build=build(),
        runtime=make_runtime_folder(tmp_path / "runtime"),
        shared={"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"},
    )
    interpreter = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"

    told = subprocess.run(  # noqa: S603 - our own interpreter
        [interpreter, "-S", "-c", ANSWER],
        cwd=environment["LAMBDA_TASK_ROOT"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(told.stdout.splitlines()[-1]) == [503, True, []]
