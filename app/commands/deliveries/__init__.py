"""`pact-dispatch deliveries`: the requests that brought a receiver its dispatches, and those that it refused."""
