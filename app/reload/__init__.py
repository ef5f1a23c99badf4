"""The reload of the configuration: every process takes another one without stopping, or none does."""
