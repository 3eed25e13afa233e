"""The public HTTP interface: what callers send, and what they are answered."""
