"""Provider states: handlers, and the relay that the core talks to."""
