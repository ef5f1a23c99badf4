"""`pact-dispatch reload`: have the processes of a receiver take their configuration anew."""
