"""Which pages are looked at, and on which screens; their names try harder than anywhere else to get out of the page."""

from typing import Any

import pytest

WORSE = "\"' autofocus onfocus=alert(2) </title></style></script></svg><svg onload=alert(3)>{{7*7}}" + 90 * "x"
REPORTS = ("hostile", "compared", "repaired", "real")
WITH_INTERVALS = (*REPORTS, "ablation-hostile")
PAGES = (*WITH_INTERVALS, "quality-hostile")
WIDTHS = {"desktop": 1280, "phone": 390}

every_report = pytest.mark.parametrize("name", REPORTS)
every_page = pytest.mark.parametrize("name", PAGES)
every_screen = pytest.mark.parametrize("screen", WIDTHS)


def worse(value: Any) -> Any:
    """Every name that already tries to get out of the page tries harder; the same name stays the same wherever it stands."""
    match value:
        case str():
            return value + WORSE if "<" in value else value
        case dict():
            return {worse(key): worse(one) for key, one in value.items()}
        case list():
            return [worse(one) for one in value]
    return value
