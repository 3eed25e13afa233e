"""MONO_TRANSACTIONS_ENABLED: its rule, its text, the decision for one account, and what to tell who was deferred."""

from mono_pipeline.core.flag.change import Amendment, FlagChange, amend
from mono_pipeline.core.flag.decision import Decision, FlagProblem, FlagReading, Reason, decide
from mono_pipeline.core.flag.guidance import Guidance, guidance
from mono_pipeline.core.flag.rule import EVERYONE, FLAG_NAME, NOBODY, FlagRule, bucket, check_account_id
from mono_pipeline.core.flag.text import MAX_FLAG_BYTES, parse_flag, parse_percentage, percentage_text, render_flag

__all__ = [
    "EVERYONE",
    "FLAG_NAME",
    "MAX_FLAG_BYTES",
    "NOBODY",
    "Amendment",
    "Decision",
    "FlagChange",
    "FlagProblem",
    "FlagReading",
    "FlagRule",
    "Guidance",
    "Reason",
    "amend",
    "bucket",
    "check_account_id",
    "decide",
    "guidance",
    "parse_flag",
    "parse_percentage",
    "percentage_text",
    "render_flag",
]
