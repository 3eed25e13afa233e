"""Everything that talks to the outside: Mono, PostgreSQL, SSM, SQS, CloudWatch."""
