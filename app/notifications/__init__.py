"""Notifications: which changes of outcome somebody is told of, what is said, and how it is sent."""
