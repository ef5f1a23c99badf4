"""`pact-dispatch check-config`: what the configuration was understood to say."""
