"""The command line: set-up, the stack of services, and a shell door to every flow."""
