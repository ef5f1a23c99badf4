"""`pact-dispatch wait`: wait until a version may be deployed, and say why it may not yet."""
