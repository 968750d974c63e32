"""``oodkit env`` tells what it can whatever is broken, in bounded time, and nothing that is nobody else's business."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event

import pytest

import oodkit
from oodkit.cli import env, env_facts

PACKAGE = Path(oodkit.__file__).parent


@pytest.fixture
def few_packages(monkeypatch):
    """As if oodkit asked for these alone, of which one is not there."""
    asked = [
        "numpy>=2.0",
        "pillow",
        "zzz-not-there>=1,<2; extra == 'odd'",
        "pytest>=8; extra == 'tests'",
        "zzz-other; sys_platform == 'zzz'",
    ]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: asked)


@pytest.fixture
def unchecked(monkeypatch):
    """Nothing is imported; the processes that do it have tests of their own."""
    monkeypatch.setattr(env_facts, "checks", lambda modules: {name: {"errors": {"import": "not now"}} for name in modules})


@pytest.fixture
def modules(monkeypatch, tmp_path):
    """Write modules that the checks can import; returns nothing."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))

    def write(**texts: str) -> None:
        (tmp_path / "modules").mkdir()
        for name, text in texts.items():
            (tmp_path / "modules" / f"{name}.py").write_text(text)

    return write


def test_it_tells_versions_devices_codecs_cache_and_settings(run, few_packages, monkeypatch):
    import torch

    monkeypatch.setenv("OODKIT_SEED", "7")
    ran = run("env")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == list(env.SECTIONS)
    assert lines[0].startswith(f"oodkit     {importlib.metadata.version('oodkit')}, in ")
    assert f"torch      {torch.__version__}: " in ran.out
    assert "faiss      1." in ran.out
    assert re.search(r"^images     Pillow \S+: jpg \S+, ", ran.out, re.MULTILINE)
    assert "/cache: not there yet, writable, " in ran.out
    assert "OODKIT_SEED=7" in ran.out
    assert f"packages   numpy {importlib.metadata.version('numpy')} (>=2.0)\n" in ran.out
    assert ran.out.endswith("zzz-not-there missing (>=1,<2, for [odd])\n")


def test_its_json_holds_the_same_sections(run, few_packages, unchecked):
    document = json.loads(run("env", "--json").out)
    assert list(document) == list(env.SECTIONS)
    assert [row["name"] for row in document["packages"]["list"]] == ["numpy", "pillow", "zzz-not-there"]
    assert document["packages"]["list"][2] == {"name": "zzz-not-there", "required": ">=1,<2", "extra": "odd", "version": None}
    assert document["machine"]["cores"] >= 1


def test_a_package_that_raises_crashes_or_leaves_is_told_and_the_others_go_on(modules):
    modules(
        raising="raise OSError('libzzz.so: no such file')",
        leaving="raise SystemExit('good-bye')",
        crashing="import os, sys; print('OMP: Error #15', file=sys.stderr, flush=True); os.abort()",
        noisy='print(\'{"module": "noisy"}\')',
    )
    found = env_facts.checks(["raising", "leaving", "crashing", "noisy", "zzz_not_there"])
    errors = {name: one["errors"].get("import") for name, one in found.items()}
    assert errors == {
        "raising": "OSError: libzzz.so: no such file",
        "leaving": "SystemExit: good-bye",
        "crashing": "Python ended with SIGABRT: OMP: Error #15",
        "noisy": None,
        "zzz_not_there": "ModuleNotFoundError: No module named 'zzz_not_there'",
    }


def test_a_package_that_hangs_is_given_up(modules, monkeypatch):
    modules(hanging="from threading import Event; Event().wait()")
    monkeypatch.setattr(env_facts, "LONGEST_CHECK", 1)
    assert env_facts.checks(["hanging"]) == {"hanging": {"errors": {"import": "no answer within 1 s"}}}


def test_one_fact_that_a_package_refuses_does_not_cost_the_others(modules):
    modules(faiss="__version__ = '9'; get_num_gpus = lambda: 1 / 0; get_compile_options = lambda: 'AVX2 GPU '")
    found = env_facts.checks(["faiss"])["faiss"]
    assert found == {"version": "9", "built_with": ["AVX2", "GPU"], "errors": {"gpus": "ZeroDivisionError: division by zero"}}
    assert env.as_text(_facts(faiss=found))[4:6] == [
        "faiss      9: built with AVX2 GPU; it sees ? GPUs",
        "           can't be told: gpus: ZeroDivisionError: division by zero",
    ]


def test_one_gpu_is_no_plural():
    assert [line.rpartition(" sees ")[2] for n in (0, 1) for line in env.SECTIONS["faiss"]({"gpus": n})] == ["0 GPUs", "1 GPU"]


def _facts(**sections):
    """Sections of which nothing can be told, but for those given."""
    return {name: {"error": "gone"} for name in env.SECTIONS} | sections


def test_gpus_are_told_with_their_memory_and_no_gpu_with_the_reason():
    told = {"version": "2.14.0", "cuda": "13.0", "hip": None, "cudnn": 91300, "cpu_capability": "AVX2", "threads": 1, "errors": {}}
    gpus = [{"name": "cuda:0", "model": "Some GPU", "bytes": 24_000_000_000}]
    lines = env.as_text(_facts(torch={**told, "devices": gpus, "why_no_cuda": None}))
    assert lines[3:5] == ["torch      2.14.0: CUDA 13.0, cuDNN 91300, AVX2, 1 thread", "           cuda:0 Some GPU, 24.0 GB"]
    lines = env.as_text(_facts(torch={**told, "devices": [], "why_no_cuda": "driver too\nold"}))
    assert lines[4] == "           no GPU: driver too old"


def test_where_everything_is_broken_each_section_says_so_and_the_exit_code_is_0(run, monkeypatch):
    def gone(*_: object, **__: object) -> None:
        raise RuntimeError("gone")

    for name in ("requires", "version"):
        monkeypatch.setattr(importlib.metadata, name, gone)
    for name in ("platform", "python_version"):
        monkeypatch.setattr(env_facts.platform, name, gone)
    monkeypatch.setattr(subprocess, "run", gone)
    monkeypatch.setenv("OODKIT_CACHE", "~nobody-of-that-name/cache")
    monkeypatch.setattr(env_facts, "_variables", gone)
    ran = run("env")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert [line.split()[0] for line in lines] == list(env.SECTIONS)
    assert lines[0].startswith("oodkit     unknown (RuntimeError), in ")
    assert all("can't be told: RuntimeError: " in line for line in lines[1:])


def test_a_missing_interpreter_costs_the_imports_alone(run, monkeypatch, few_packages):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    ran = run("env")
    assert ran.code == 0
    assert "torch      can't be told: FileNotFoundError" in ran.out
    assert "pillow " in ran.out


def test_a_damaged_installation_of_a_package_is_told(monkeypatch, few_packages, unchecked):
    def damaged(name: str) -> str:
        raise KeyError("Version")

    monkeypatch.setattr(importlib.metadata, "version", damaged)
    assert env_facts.environment()["packages"]["list"][0]["version"] == "unknown (KeyError)"


def test_an_oodkit_that_is_run_from_its_folder_has_no_version(monkeypatch, unchecked):
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.setattr(importlib.metadata, "requires", missing)
    lines = env.as_text(env_facts.environment())
    assert lines[0].startswith("oodkit     not installed, in ")
    assert lines[-1] == "packages   can't be told: PackageNotFoundError: No package metadata was found for oodkit"


def test_the_cache_is_counted_without_what_its_links_lead_to(tmp_path, monkeypatch):
    monkeypatch.setenv("OODKIT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache/entry").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/large").write_bytes(bytes(999))
    (tmp_path / "cache/entry/shard").write_bytes(bytes(30))
    (tmp_path / "cache/loop").symlink_to(tmp_path / "cache")
    (tmp_path / "cache/away").symlink_to(tmp_path / "elsewhere")
    facts = env_facts.cache_facts(seconds=60)
    links = sum((tmp_path / "cache" / name).lstat().st_size for name in ("loop", "away"))
    assert (facts["files"], facts["bytes"], facts["whole"], facts["error"]) == (3, 30 + links, True, None)


def test_a_cache_that_takes_too_long_is_told_as_far_as_it_was_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("OODKIT_CACHE", str(tmp_path))
    (tmp_path / "entry").mkdir()
    (tmp_path / "shard").write_bytes(bytes(3_000_000))
    reached, over, scan = Event(), Event(), os.scandir

    def slow(folder: str) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        if folder.endswith("entry"):
            reached.set()
            over.wait()
        return scan(folder)

    class Reached(env_facts.Thread):
        def join(self, timeout: float | None = None) -> None:
            reached.wait()

    monkeypatch.setattr(os, "scandir", slow)
    monkeypatch.setattr(env_facts, "Thread", Reached)
    facts = env_facts.cache_facts()
    over.set()
    assert not facts["whole"]
    assert ": more than 3.0 MB in 1 file, writable, " in env.as_text(_facts(cache=facts))[6]


def test_a_drive_that_does_not_answer_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("OODKIT_CACHE", str(tmp_path))
    over, is_dir = Event(), Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda path, **how: over.wait() if path == tmp_path else is_dir(path, **how))
    line = env.as_text(_facts(cache=env_facts.cache_facts(seconds=0)))[6]
    over.set()
    assert line.endswith(": no answer")


def test_a_cache_that_can_not_be_read_or_is_no_folder_is_told(run, tmp_path, monkeypatch, few_packages, unchecked):
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "cache")

    (tmp_path / "cache").write_text("a file")
    assert "can't be told: NotADirectoryError: it is a file, and outputs need a folder" in run("env").out
    (tmp_path / "cache").unlink()
    (tmp_path / "cache").mkdir()
    monkeypatch.setattr(os, "scandir", refused)
    ran = run("env")
    assert "can't be told: PermissionError: [Errno 13] Permission denied: 'cache'" in ran.out
    assert ran.code == 0


def test_no_secret_of_the_environment_is_shown(run, monkeypatch, few_packages, unchecked):
    for name in ("HF_TOKEN", "OODKIT_TOKEN", "OODKIT_API_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "hf_verysecret")
    monkeypatch.setenv("OODKIT_DATA", "https://me:hf_verysecret@example.org/data")
    shown, document = run("env").out, run("env", "--json").out
    assert "hf_verysecret" not in shown + document
    assert "OODKIT_DATA=https://…@example.org/data" in shown
    assert "OODKIT_TOKEN is set, which oodkit does not read" in shown
    assert json.loads(document)["variables"]["unknown"] == ["OODKIT_API_KEY", "OODKIT_TOKEN"]


def test_hostile_settings_are_spelled(run, monkeypatch, few_packages, unchecked):
    monkeypatch.setenv("OODKIT_DATA", "\x1b[31m\nred")
    monkeypatch.setenv("OODKIT_\x1b[2J", "1")
    ran = run("env")
    assert r"OODKIT_DATA=\x1b[31m\nred" in ran.out
    assert ran.out.replace("\n", "").isprintable()


def test_in_one_of_several_processes_it_tells_that_where_other_commands_refuse(run, monkeypatch, few_packages, unchecked):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert run("cache", "list").code != 0
    ran = run("env")
    assert ran.code == 0
    assert "WORLD_SIZE=2" in ran.out


def test_it_knows_every_variable_that_oodkit_reads():
    others = [path for path in PACKAGE.rglob("*.py") if path.name != "env_facts.py"]
    read = {name for path in others for name in re.findall(r"OODKIT_[A-Z_]+", path.read_text(encoding="utf-8"))}
    assert read == env_facts.READ_BY_OODKIT


def test_it_needs_no_torch_itself():
    """Which may be what is broken."""
    script = "import sys; import oodkit.cli.env_facts as facts; facts.cache_facts(); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
