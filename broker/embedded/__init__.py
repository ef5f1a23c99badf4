"""A Pact Broker in one SQLite file, for development, demos and tests.

It answers as the real one does (pact_broker 2.120.0 was the model) wherever it answers at all. It is no place for
contracts that must not be lost.
"""
