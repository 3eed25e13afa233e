"""The demonstration: chapters of a story, told on the embedded stack."""
