"""What every client of a broker shares: origins, credentials, limits, strict JSON, waits."""
