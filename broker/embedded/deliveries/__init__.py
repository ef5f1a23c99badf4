"""Deliveries of triggered webhooks, and their outcomes."""
