"""What is accepted: dispatches, credentials, refusals. Plain values in and out, no Flask."""
