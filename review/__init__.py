"""A person corrects: routing, the review desk (Argilla), people, agreement."""
