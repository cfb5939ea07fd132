"""The public face: the command, the monitor, the configuration, and a Python client."""
