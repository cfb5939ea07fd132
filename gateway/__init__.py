"""The bridge between browsers and the bus."""
