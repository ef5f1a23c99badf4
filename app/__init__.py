"""The receiver and the `pact-dispatch` command."""
