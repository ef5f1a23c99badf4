"""The provider under test: its process and its environment."""
