"""The server and what watches it: connections, logs, metrics, probes, doctor."""
