"""`pact-dispatch worker`: a worker alone."""
