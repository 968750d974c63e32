"""Numbers as every text of oodkit writes them, on a terminal as in a report; what programs read, JSON and CSV, has plain ones."""


def decimal(value: float, digits: int) -> str:
    """With a true minus sign: ``−0.79``."""
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: float, digits: int) -> str:
    """With its sign, for what may be of either: ``+0.03``, ``−0.79``."""
    return f"{value:+.{digits}f}".replace("-", "−")


def percent(fraction: float, digits: int = 1) -> str:
    """``89.6 %``, of 0.896."""
    return f"{decimal(100 * fraction, digits)} %"


def p_value(p: float) -> str:
    """``0.0581``, ``0.58``; of what lies below 0.0001 only that it does: ``< 0.0001``."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.1 else f"{p:.2f}"
