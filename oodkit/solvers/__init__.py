"""How the last layer is refitted: plain cross-entropy of features and labels in, a head out."""

from typing import Literal

Solver = Literal["lbfgs", "sgd"]
Init = Literal["head", "zeros"]  # where it starts: the present head, or zeros
