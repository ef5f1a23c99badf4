"""Environments, deployments and releases."""
