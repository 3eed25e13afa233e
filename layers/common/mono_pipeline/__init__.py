"""mono-pipeline: a complete, verified, current copy of every bank transaction.

`core` decides and knows no library that talks to the outside; `adapters` talk; `usecases` join the two;
`bootstrap` builds the adapters of one environment. Nothing imports upwards.
"""

__version__ = "0.1.0"
