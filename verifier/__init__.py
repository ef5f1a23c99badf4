"""One pact, verified."""
