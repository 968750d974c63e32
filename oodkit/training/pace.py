"""How fast the steps of an epoch go."""

import time


class Pace:
    """The clock of an epoch. It goes on where a training was stopped, so that the time before the stop is not lost."""

    def __init__(self) -> None:
        self.restart()

    def restart(self, seconds: float = 0.0) -> None:
        """Begin an epoch, of which so much was done before a stop."""
        self._began = time.perf_counter() - seconds

    @property
    def seconds(self) -> float:
        """Since the epoch began, without the time between a stop and going on."""
        return time.perf_counter() - self._began

    def facts(self, images: int) -> dict[str, float]:
        """What a log says after so many images of the epoch."""
        seconds = self.seconds
        return {"images_per_second": images / seconds, "seconds": seconds}
