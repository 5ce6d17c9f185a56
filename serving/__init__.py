"""The student at work: model server, gateway, live pointer, traffic."""
