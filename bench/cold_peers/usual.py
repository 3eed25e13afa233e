"""The same application as it is usually written: everything imported and every client made at the top of the module.

Laid beside a function's own `app.py`, `worker.py`, ... in a copy of its artifact; `USUAL_ENTRY` names which.
"""

from __future__ import annotations

import importlib
import os
import pkgutil

import boto3

import mono_pipeline

for module in pkgutil.walk_packages(mono_pipeline.__path__, "mono_pipeline."):
    if not module.name.endswith("migrator"):  # Alembic is shipped with the ops function alone
        importlib.import_module(module.name)
for library in ("aws_lambda_powertools", "aws_lambda_powertools.event_handler", "httpx", "pg8000.native", "pydantic"):
    importlib.import_module(library)
if os.environ["USUAL_ENTRY"] == "worker":
    importlib.import_module("aws_lambda_powertools.utilities.batch")  # how a worker usually answers SQS
clients = [boto3.client(service) for service in ("ssm", "sqs", "rds")]
handler = importlib.import_module(os.environ["USUAL_ENTRY"]).handler
