"""What the system does for a caller, one module a use case."""
