"""The report of a release: what its trail and the tables say of it, as values, as one page and as JSON."""
