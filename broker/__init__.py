"""Everything said to a Pact Broker, and one to run at home."""
