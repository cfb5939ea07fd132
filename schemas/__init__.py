"""Everything that can be said on the bus: without it, two rooms could not talk."""
