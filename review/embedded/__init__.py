"""Argilla in one process, without Elasticsearch, Redis and Postgres; runs in the argilla environment."""
