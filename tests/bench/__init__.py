"""The numbers that we publish, as ratios against a peer in the same run."""
