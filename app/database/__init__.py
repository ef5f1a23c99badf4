"""The receiver's database: connections, migrations, and an embedded PostgreSQL."""
