"""The report in a real browser: pages made once in a session, and opened as a reader would."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from oodkit.report.html import write_html
from oodkit.report.runs import Run

from ..browser import Browser, Page, find_chromium  # noqa: TID252 (tests are no package)
from ..made_ablation import hostile_document  # noqa: TID252
from ..made_quality import hostile_run  # noqa: TID252
from .pages import worse

CHECKS = f"globalThis.checks ??= {(Path(__file__).parents[1] / 'checks.js').read_text(encoding='utf-8')}"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not (executable := find_chromium()):
        pytest.skip("there is no Chromium on the PATH; apt-get install chromium, or set CHROMIUM to one")
    with contextlib.closing(Browser(executable)) as running:
        yield running


@pytest.fixture(scope="session")
def folder(tmp_path_factory, worker_id) -> Path:
    """One for all processes that the tests are spread over, so that every report is made once."""
    if worker_id == "master":
        return tmp_path_factory.mktemp("reports")
    shared = tmp_path_factory.getbasetemp().parent / "reports"
    shared.mkdir(exist_ok=True)
    return shared


def make_real(folder: Path) -> None:
    """What the command line writes of the shipped models: one that has no baseline, one that has, and mixed images."""
    from oodkit.cli import main

    models, running = ["demo:digits-v1", "demo:digits-v2"], ["--workers", "0", "--device", "cpu", "--quiet"]
    scorers = [word for name in ("mls", "msp", "react", "knn", "mds") for word in ("--scorer", name)]
    command = ["oodkit", "diagnose", *models, "--mixed", "--limit", "60", *scorers, *running]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OODKIT_CACHE", str(folder / "cache"))
        patch.setattr(sys, "argv", [*command, "--output", str(folder / "run"), "--report", str(folder / "real.html")])
        with pytest.raises(SystemExit) as stop:
            main()
    assert not stop.value.code


@pytest.fixture
def file(name: str, request, folder) -> Path:
    """The report of this name, made once in a session."""
    path = folder / f"{name}.html"
    with FileLock(folder / f"{name}.lock"):
        if not path.exists() and name == "real":
            make_real(folder)
        elif not path.exists() and name == "ablation-hostile":
            write_html(Run(worse(hostile_document())), path)
        elif not path.exists() and name == "quality-hostile":
            found = hostile_run()
            write_html(Run(worse(found.document), thumbnails=found.thumbnails), path)
        elif not path.exists():
            run = request.getfixturevalue({"hostile": "run", "compared": "compared_run", "repaired": "repaired_run"}[name])
            write_html(Run(worse(run.document), run.scores, run.thumbnails), path)
    return path


@pytest.fixture
def look(browser) -> Iterator[Any]:
    """Open a file, and whatever is folded in it: ``look(path, width=390, phone=True, dark=True)``."""
    with contextlib.ExitStack() as stack:

        def opened(path: Path, **view: Any) -> Page:
            page = stack.enter_context(contextlib.closing(browser.open(path, **view)))
            page.evaluate(f"{CHECKS}, checks.openAll()")
            return page

        yield opened
