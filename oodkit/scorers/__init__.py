"""The scorers, one file a paper."""
