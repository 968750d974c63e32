"""Which sampler a diffusers pipeline may run with: some pipelines start others at the wrong noise, or can't repeat them."""

from difflib import get_close_matches
from typing import Any

from oodkit.errors import UsageError

# DiTPipeline hands no random generator to the scheduler, so that samplers that draw can't be repeated; and neither it nor
# DDPMPipeline scales the first noise, so that samplers that start at another scale than 1 go wrong.
REPEATS = ("DDIMScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler")
PREFERRED = {"DiTPipeline": "DPMSolverMultistepScheduler"}
UNSCALED = frozenset({"DiTPipeline", "DDPMPipeline"})


def give_scheduler(pipe: Any, name: str | None) -> str:
    """Let the pipeline run with the scheduler of that name, or with the best known for it; the name of the one that it has then.

    Raises UsageError for a name that diffusers lacks, and for a scheduler that the pipeline misuses.
    """
    kind = type(pipe).__name__
    wanted = name or PREFERRED.get(kind)
    if wanted is not None and wanted != type(pipe.scheduler).__name__:
        pipe.scheduler = _scheduler(wanted, pipe).from_config(pipe.scheduler.config)
    now = type(pipe.scheduler).__name__
    if kind == "DiTPipeline" and _draws(pipe.scheduler):  # a form of DPM-Solver that REPEATS does not mean
        pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, algorithm_type="dpmsolver++")
    if kind == "DiTPipeline" and now not in REPEATS:
        raise UsageError(f"{kind} can't repeat the images of {now}; --generator-arg scheduler= takes {', '.join(REPEATS)}")
    if kind in UNSCALED and float(pipe.scheduler.init_noise_sigma) != 1.0:
        raise UsageError(f"{kind} starts {now} at the wrong noise level; use --generator-arg scheduler=DDIMScheduler")
    return now


def _draws(scheduler: Any) -> bool:
    return str(getattr(scheduler.config, "algorithm_type", "")).startswith("sde")


def _scheduler(name: str, pipe: Any) -> Any:
    import diffusers

    fitting = sorted({one.__name__ for one in pipe.scheduler.compatibles if not one.__module__.endswith("dummy_objects")})
    found = getattr(diffusers, name, None) if name.endswith("Scheduler") else None
    if found is None or not hasattr(found, "from_config"):
        near = get_close_matches(name, fitting, n=3)
        raise UsageError(
            f"diffusers has no scheduler {name!r}; did you mean {', '.join(near)}?"
            if near
            else f"diffusers has no scheduler {name!r}; choose from {', '.join(fitting)}"
        )
    return found
