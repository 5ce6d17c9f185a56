"""What flows through Retort, and where it is kept: the records (pydantic) and the store (SQLAlchemy)."""
