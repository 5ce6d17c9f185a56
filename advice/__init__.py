"""Should this task be prompted, fine-tuned, or neither? Computed from the user's numbers: pure functions of records."""
