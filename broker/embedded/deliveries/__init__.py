"""Delivering triggered webhooks, and telling what became of them."""
