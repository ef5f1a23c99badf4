"""`pact-dispatch setup`: the way from a broker to whoever verifies, step by step, and again without harm."""
