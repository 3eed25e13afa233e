"""What the functions log: JSON lines, from files on this machine or from CloudWatch Logs."""

from monoctl.logbook.log_line import LogLine, read_line
from monoctl.logbook.query import LogQuery, LogSource

__all__ = ["LogLine", "LogQuery", "LogSource", "read_line"]
