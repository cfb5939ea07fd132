"""Scanners: the list of them, the scans that run, and the drivers that hold them."""
