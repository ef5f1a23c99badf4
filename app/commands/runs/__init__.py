"""`pact-dispatch runs`: what a receiver verified, verifies, and is going to verify."""
