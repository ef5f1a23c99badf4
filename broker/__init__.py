"""Clients of a Pact Broker, and a broker to run yourself."""
