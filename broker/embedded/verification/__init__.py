"""Pacts for verification, and verification results."""
