"""Everything that is checked, here and in CI: ``nox`` runs all but the slow and the timed sessions."""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests", "docs", "examples"]
nox.options.reuse_existing_virtualenvs = True

LARGEST_WHEEL = 6e6  # bytes
QUIET = {"NO_COLOR": "1", "TERM": "dumb", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


@nox.session
def tests(session: nox.Session) -> None:
    """The tests that pass offline from a fresh clone, on every core."""
    session.install(".[tests,wds,fid,hf,text]")
    session.run("pytest", "-m", "not slow", "-n", "auto", "--dist", "worksteal", *session.posargs, env=QUIET)


@nox.session
def slow(session: nox.Session) -> None:
    """The tests that take minutes: every model family of timm and torchvision."""
    session.install(".[tests]")
    session.run("pytest", "-m", "slow", "-n", "2", *session.posargs, env=QUIET)


@nox.session
def minimums(session: nox.Session) -> None:
    """The tests with the lowest version of each direct dependency that pyproject.toml allows."""
    allowed = nox.project.load_toml("pyproject.toml")["project"]["dependencies"]
    session.install(".[tests]", *(one.replace(">=", "==") for one in allowed))
    session.run("pytest", "-m", "not slow", "-n", "auto", "--dist", "worksteal", *session.posargs, env=QUIET)


@nox.session(python=["3.12", "3.13", "3.14"])
def pythons(session: nox.Session) -> None:
    """The tests on every newer Python that is here and that all dependencies have wheels for."""
    session.install("--only-binary=:all:", ".[tests]")
    session.run("pytest", "-m", "not slow", "-n", "auto", "--dist", "worksteal", *session.posargs, env=QUIET)


@nox.session
def torture(session: nox.Session) -> None:
    """10,000 mutants, 50 kills of each work, 20 times two processes on one cache. One: ``nox -s torture -- kill 50``."""
    session.install(".[tests]")
    for words in [session.posargs] if session.posargs else (["mutate"], ["kill"], ["share"]):
        session.run("python", "tests/torture/run.py", *words, env=QUIET)


@nox.session
def wheel(session: nox.Session) -> None:
    """What pip installs, without the source tree: its size, and the demo out of it."""
    session.install("build")
    folder = Path(session.create_tmp()).resolve()
    session.run("python", "-m", "build", "--wheel", "--outdir", str(folder), silent=True)
    made = max(folder.glob("*.whl"), key=lambda file: file.stat().st_mtime)
    if (size := made.stat().st_size) > LARGEST_WHEEL:
        session.error(f"{made.name} has {size / 1e6:.1f} MB, and at most {LARGEST_WHEEL / 1e6:.0f} are wanted")
    session.install("--force-reinstall", "--no-deps", str(made))
    session.install(str(made))
    own = QUIET | {"OODKIT_CACHE": str(folder / "cache")}
    with session.chdir(folder):
        session.run("oodkit", "demo", "--output", "demo", env=own)
        session.run("oodkit", "env", env=own)


@nox.session
def lint(session: nox.Session) -> None:
    session.install(".[lint]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    session.install(".[types]")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """The site, with warnings as errors."""
    session.install(".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def examples(session: nox.Session) -> None:
    session.install(".")
    own = QUIET | {"OODKIT_CACHE": str(Path(session.create_tmp(), "cache").resolve())}
    for script in (
        "diagnose_in_python.py",
        "repair_and_deploy.py",
        "train_and_diagnose.py",
        "synthesize_and_train.py",
        "own_scorer.py",
    ):
        session.run("python", f"examples/{script}", env=own)
    session.run("python", "docs/run_page.py", "docs/tour.md", env=own)


@nox.session
def bench(session: nox.Session) -> None:
    """Timings, printed and never asserted. All scripts, or one with its options: ``nox -s bench -- scorers --scale 0.1``."""
    scripts = ("diagnose", "stages", "decoders", "scorers", "peers", "augdelete", "training", "synthesis", "scale")
    if session.posargs and session.posargs[0] not in scripts:
        session.error(f"name one of {', '.join(scripts)} first, then its options; got {session.posargs[0]}")
    session.install(".[bench]")
    session.install("--no-deps", "oodeel==0.4.0")  # it asks for numpy < 2, which oodkit can't have, and works without
    for script in session.posargs[:1] or scripts:
        session.run("python", f"tests/benchmarks/{script}.py", *session.posargs[1:])
