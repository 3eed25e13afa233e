"""A local stand-in for Mono's API: its wire contract, a bank that can be changed, answers that can be broken."""
