"""Origins, credentials, limits, strict JSON and waits, for every client."""
