"""The commands: each reads its arguments, asks, and says what came of it."""
