"""`pact-dispatch notify`: who is told of changes of outcome, and whether messages arrive."""
