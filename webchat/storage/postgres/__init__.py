"""PostgreSQL, for many people and many servers: it keeps, locks and notifies. Nothing here is needed by the others."""
