"""`pact-dispatch serve`: the whole receiver in one command."""
