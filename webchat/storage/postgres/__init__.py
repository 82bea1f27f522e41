"""The storage engine in PostgreSQL, for many people and several servers: data, locks and notifications."""
