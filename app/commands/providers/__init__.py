"""`pact-dispatch providers`: the providers of a receiver, and pausing one."""
