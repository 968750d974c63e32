"""Disks that are full or read-only and folders of odd names: one clear line, nothing half-written, and the same command goes on."""

import shutil
import subprocess
from pathlib import Path

import pytest

from oodkit.cache import cache_entries

HERE = ("--workers", "0", "--device", "cpu")
SETS = ("--id", "demo:digits", "--far", "patches=demo:photo-patches", "--scorer", "mls", "--baseline", "none", "--limit", "60")
DIAGNOSE = ("diagnose", "demo:digits-v1", *SETS, *HERE)
TRAIN = ("train", "test_resnet", "--data", "demo:digits:train", "--limit", "32", "--input-size", "32", "--epochs", "1", *HERE)
ODD = "a cache, of “größe” 100 %; #1 $HOME's"


def mount(folder: Path, options: str) -> None:
    mounter = shutil.which("mount")
    done = mounter and subprocess.run(
        [mounter, "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False, capture_output=True, text=True
    )
    if not done or done.returncode:
        pytest.skip("a file system can't be mounted here; as root it can")


@pytest.fixture
def small_disk(tmp_path):
    """Make a folder that holds so many bytes."""
    disks = []

    def make(size: str) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir()
        mount(folder, f"size={size}")
        disks.append(folder)
        return folder

    yield make
    for folder in disks:
        subprocess.run(["umount", "-l", folder], check=True)


def lines(ran):
    """What is told beside progress."""
    return [line for line in ran.err.splitlines() if line.startswith("error: ")]


def half_written(folder: Path):
    return [path.name for path in folder.rglob("*.tmp")]


def test_a_cache_without_room_is_one_line_and_with_room_the_same_command_goes_on(run, small_disk):
    disk = small_disk("24k")
    ran = run(*DIAGNOSE, "--cache", str(disk / "cache"))
    (line,) = lines(ran)
    assert (ran.code, ran.out) == (1, "")
    assert line.startswith(f"error: can't write {disk}/cache/")
    assert line.endswith("No space left on device; free some space or choose another folder for the cache: --cache DIR")
    assert not half_written(disk)
    subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
    assert run(*DIAGNOSE, "--cache", str(disk / "cache")).code == 0
    assert all(entry.missing == 0 for entry in cache_entries(disk / "cache"))


def test_a_result_without_room_is_told_and_nothing_of_it_is_half_there(run, small_disk):
    disk = small_disk("24k")
    ran = run(*DIAGNOSE, "-o", str(disk / "run"), "--report", str(disk / "report.html"))
    (line,) = lines(ran)
    assert ran.code == 1
    assert "No space left on device; free some space or choose another folder" in line
    assert "demo:digits-v1" in ran.out, "what was found is shown all the same"
    assert not half_written(disk)
    assert not (disk / "report.html").exists()


def test_a_training_without_room_is_one_line_and_with_room_the_same_command_goes_on(run, small_disk):
    disk = small_disk("256k")
    ran = run(*TRAIN, "-o", str(disk / "run"))
    (line,) = lines(ran)
    assert ran.code == 1
    assert line.startswith(f"error: can't write {disk}/run/")
    assert "No space left on device; free some space" in line
    assert not half_written(disk)
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    assert run(*TRAIN, "-o", str(disk / "run")).code == 0


def test_a_cache_that_may_only_be_read_is_enough_where_it_holds_all(run, small_disk):
    disk = small_disk("4m")
    assert run(*DIAGNOSE, "--cache", str(disk / "cache"), "-o", "first").code == 0
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    ran = run(*DIAGNOSE, "--cache", str(disk / "cache"), "-o", "second")
    assert ran.code == 0, ran.err
    ran = run(*DIAGNOSE[:1], "demo:digits-v2", *DIAGNOSE[2:], "--cache", str(disk / "cache"))
    (line,) = lines(ran)
    assert (ran.code, ran.out) == (1, "")
    assert line.startswith(f"error: can't write {disk}/cache/")
    assert line.endswith("Read-only file system; free some space or choose another folder for the cache: --cache DIR")


def test_a_cache_that_can_be_no_folder_is_found_before_an_image_is_run(run, forwarded):
    Path("file").touch()
    ran = run(*DIAGNOSE, "--cache", "file/cache")
    assert (ran.code, ran.out) == (1, "")
    (line,) = lines(ran)
    assert line.startswith("error: can't write file/cache/")
    assert line.endswith("Not a directory; free some space or choose another folder for the cache: --cache DIR")
    assert not forwarded


def test_folders_of_odd_names_are_folders(run, tmp_path, forwarded, monkeypatch):
    """The cache, the images and the result, as the environment and as options name them."""
    from oodkit.images import open_images

    digits = open_images("demo:digits", limit=8)
    for position in range(len(digits)):
        folder = tmp_path / f"{ODD} images" / digits.class_names[digits.labels[position]]
        folder.mkdir(parents=True, exist_ok=True)
        digits.load(position).save(folder / f"é {position}.png")
    monkeypatch.setenv("OODKIT_CACHE", str(tmp_path / ODD))
    words = ("diagnose", "demo:digits-v1", "--id", f"{ODD} images", *SETS[2:], *HERE, "-o", f"{ODD} run", "--report", f"{ODD}.html")
    ran = run(*words)
    assert ran.code == 0, ran.err
    assert len(cache_entries(tmp_path / ODD)) == 2
    assert Path(f"{ODD} run", "result.json").is_file()
    assert Path(f"{ODD}.html").is_file()
    del forwarded[:]
    assert run(*words).code == 0
    assert not forwarded, "all came from the cache"


def test_without_a_network_a_name_is_one_line(run, monkeypatch):
    """.invalid never resolves (RFC 2606)."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.invalid")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "hub")
    ran = run("diagnose", "resnet10t", *SETS, *HERE)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.count("\n") == 1
    assert "https://hub.invalid can't be reached and they are not in the cache; give a local file: FILE --arch resnet10t" in ran.err
