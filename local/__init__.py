"""The embedded stack: PostgreSQL, AWS stand-ins, the Lambda runtime and the Mono sandbox on one machine."""
