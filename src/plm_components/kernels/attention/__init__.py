"""One file, one attention part; ``eager`` is the oracle of the others."""
