"""What storage is put through: crashes between any two calls, calls that fail, damage, and a search for what leaked."""
