"""pact-python in a child process."""
