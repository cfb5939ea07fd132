"""The independent actors; each is found by its entry point, and none knows another."""
