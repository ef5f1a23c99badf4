"""The reload of the configuration."""
