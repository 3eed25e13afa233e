"""The command line of the operator.

`commands` read arguments and say what came of it; `reach` is the road to an environment (HTTP, the ops function, SSM,
logs); `console` is how things look; the other modules are one job each. It has no road to a database or to Mono.
"""
