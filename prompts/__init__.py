"""A document becomes an answer: task definitions, the one render, asking models through LiteLLM."""
