"""What must hold before a release: one line each, with how to put it right."""
