"""What processes share: locks, logs, supervision."""
