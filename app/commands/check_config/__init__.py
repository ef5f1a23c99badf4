"""`pact-dispatch check-config`: print what a configuration means, and what is wrong with it."""
