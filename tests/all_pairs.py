"""DeLong's placements from every pair of scores, and scores to draw them from."""

import numpy as np


def brute_placements(inside, outside):
    wins = (inside[:, None] > outside[None]) + 0.5 * (inside[:, None] == outside[None])
    return wins.mean(1), wins.mean(0)


def draw(rng, size, shift=0.0, ties=False):
    scores = rng.normal(shift, 1, size)
    return np.round(scores * 2) if ties else scores
