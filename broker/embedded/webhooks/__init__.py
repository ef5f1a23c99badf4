"""Webhooks and their secrets: the resources, their rows, and the values that are put into them."""
