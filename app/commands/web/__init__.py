"""`pact-dispatch web`: the endpoint alone, for machines of its own."""
