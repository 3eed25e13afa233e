"""A local stand-in for Mono's API, true to its wire contract, whose bank can be changed and whose answers can be broken."""
