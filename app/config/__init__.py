"""The configuration: `pact-dispatch.toml` and the environment."""
