"""The embedded stack: real PostgreSQL and Valkey from wheels, the API, workers and Flower, under one process manager."""
