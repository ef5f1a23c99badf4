"""`pact-dispatch doctor`: why `can-i-deploy` is still waiting. Nothing in here changes anything anywhere."""
