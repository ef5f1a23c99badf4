"""What may enter: dispatches, credentials, refusals. Plain values in and out, no Flask."""
