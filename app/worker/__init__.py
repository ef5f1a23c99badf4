"""The worker: from the queue to a published result."""
