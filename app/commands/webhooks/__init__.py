"""`pact-dispatch webhooks`: see, create, change and try out webhooks."""
