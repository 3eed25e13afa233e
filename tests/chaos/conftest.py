"""Fixtures for the judges of a soak: the shared PostgreSQL and a pipeline to spoil."""

from __future__ import annotations

from tests.integration.conftest import address, new_pipeline, pipeline, server, template

__all__ = ["address", "new_pipeline", "pipeline", "server", "template"]  # fixtures
