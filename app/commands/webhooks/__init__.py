"""`pact-dispatch webhooks`: what is wanted, what is asked of the broker, and how it is shown."""
