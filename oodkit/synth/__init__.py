"""Synthetic in-distribution images: generators, the sets that they make, and how good those are."""
