"""What people see of an account, a run, the flag, a log line."""
