"""`pact-dispatch alive`: whether a worker is alive."""
