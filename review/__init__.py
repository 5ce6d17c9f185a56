"""A person corrects: routing, the review desk (Argilla), people, second looks."""
