"""`pact-dispatch broker`: a Pact Broker to run at home."""
