"""`pact-dispatch reconcile`: queue what a webhook failed to ask for."""
