"""`pact-dispatch setup`: set up token, webhook and workflow, step by step."""
