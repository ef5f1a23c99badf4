"""The queue: all that knows Procrastinate's tables and its channel."""
