"""A run of many pacts: those that a broker asks a provider to verify, or several that are named."""
