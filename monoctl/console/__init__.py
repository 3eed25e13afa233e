"""How things look: words for people, tables that fit the terminal, one JSON document for machines."""
