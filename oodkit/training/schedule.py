"""The learning rate of each step."""

import math

LAST = 1e-6  # OpenOOD v1.5's, at the end of its cosine


def lr_at(step: int, total: int, lr: float, warmup_steps: int = 0) -> float:
    """The learning rate of step ``step``, from 0, of a training of ``total`` steps: a linear rise to ``lr``, then half a cosine.

    Without a rise it is OpenOOD v1.5's, which changes with every step: LAST + (lr − LAST) (1 + cos(π · step / total)) / 2. With
    one, the first ``warmup_steps`` steps have lr · (step + 1) / warmup_steps, and the cosine spans those that follow.
    """
    if step < warmup_steps:
        return lr * (step + 1) / warmup_steps
    done = (step - warmup_steps) / (total - warmup_steps)
    return LAST + (lr - LAST) * (1 + math.cos(math.pi * done)) / 2
