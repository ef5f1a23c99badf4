"""Publishing pacts."""
