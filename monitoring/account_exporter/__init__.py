"""Per-account truth from the database for Prometheus: the way to look at one account among a hundred thousand."""
