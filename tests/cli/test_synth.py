"""``oodkit synth`` as a user sees it: what is printed where, which folder, and how it goes on."""

import json
import signal
from pathlib import Path

import pytest

import oodkit
from oodkit.cli import synth_progress

from .makers import write_makers

NOISE = ("synth", "--model", "py:makers.py:noise", "--device", "cpu")


@pytest.fixture(autouse=True)
def makers(tmp_path):
    write_makers(tmp_path)


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(Path(folder).rglob("*.png"))}


def document(folder):
    return json.loads((Path(folder) / "run.json").read_text("utf-8"))


def test_the_result_goes_to_stdout_and_the_way_there_to_stderr(run):
    ran = run(*NOISE, "--per-class", "4")
    folder = "oodkit-runs/synth-001"
    assert ran.code == 0, ran.err
    generator, *before = ran.err.splitlines()
    assert generator.startswith("generator: py:makers.py:noise, source ")
    assert before == ["licence: CC0", f"making 12 images of 3 classes, into {folder}"]
    first, *lines = ran.out.splitlines()
    assert first.startswith("12 images of 3 classes by py:makers.py:noise, in ")
    assert lines == [f"folder: {folder}", f"train with them: oodkit train ARCH --data SET --synthetic {folder} --alpha 0.8"]
    assert len(files(folder)) == 12
    assert sorted(path.name for path in Path(folder).iterdir() if path.is_dir()) == ["cat", "dog", "fox"]


def test_json_is_the_folders_own_document_and_quiet_prints_the_folder_alone(run):
    ran = run(*NOISE, "--per-class", "2", "-o", "made", "--json")
    assert json.loads(ran.out) == document("made")
    assert document("made")["counts"]["kept"] == 6
    assert run(*NOISE, "--per-class", "2", "-o", "other", "-q")[1:] == ("other\n", "")


def test_the_same_command_makes_nothing_twice_more_adds_and_another_gets_a_folder_of_its_own(run):
    run(*NOISE, "--per-class", "2", "-q")
    first, made = "oodkit-runs/synth-001", files("oodkit-runs/synth-001")
    again = run(*NOISE, "--per-class", "2")
    finished = f"{first} is finished: nothing is made again; another seed or folder makes anew"
    assert (again.code, again.err.splitlines()[2:]) == (0, [finished])
    assert "6 images of 3 classes" in again.out
    more = run(*NOISE, "--per-class", "3")
    assert f"{first} has fewer: adding to it, 9 images of 3 classes in all" in more.err
    assert made.items() < files(first).items()
    assert run(*NOISE, "--per-class", "2", "-q").out == "oodkit-runs/synth-002\n"
    assert run(*NOISE, "--per-class", "3", "-q").out == f"{first}\n", "the same goes before less of the same"
    assert run(*NOISE, "--per-class", "3", "--seed", "1", "-q").out == "oodkit-runs/synth-003\n"


def test_another_command_is_refused_in_the_folder_of_one(run):
    run(*NOISE, "--per-class", "2", "-o", "made", "-q")
    ran = run(*NOISE, "--per-class", "2", "-o", "made", "--size", "4", "-q")
    told = "made holds another synthesis: size none there, 4 here; ask for the same again, or for more, or give another folder"
    assert (ran.code, ran.out, ran.err) == (2, "", f"error: {told}\n")


def test_a_fitted_generator_has_a_number_of_its_own_beside(run):
    """oodkit-runs/synth-fit-007 is none of synth's."""
    Path("oodkit-runs/synth-fit-007").mkdir(parents=True)
    assert run(*NOISE, "--per-class", "1", "-q").out == "oodkit-runs/synth-001\n"


def test_it_goes_on_where_ctrl_c_ended_it_and_comes_to_the_same(run):
    """The third call of the generator is interrupted: of 12 images 8 are there, at least those of the first call for sure."""
    words = ("synth", "--model", "py:makers.py:stopped", "--per-class", "4")
    ran = run(*words, "--generator-arg", "after=2", "-o", "made")
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines()[-1] == "interrupted: what is done is kept in made; the same command goes on from there"
    there = files("made")
    assert 4 <= len(there) < 12
    source = Path("makers.py").read_text("utf-8")
    Path("makers.py").write_text(source.replace("    stopped.calls += 1\n", ""), "utf-8")
    told = run(*words, "--generator-arg", "after=2", "-o", "made")
    assert told.code == 2, "the source of the function has changed, and what it makes may have"
    assert "source of the generator" in told.err


def test_sigterm_ends_it_as_it_ends_a_training(run):
    """And not as a fault: what is made stays, and the exit code is a shell's for that signal."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        ran = run("synth", "--model", "py:makers.py:terminated", "--per-class", "4", "-o", "made")
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (ran.code, ran.out) == (143, "")
    assert ran.err.splitlines()[-1] == "interrupted: what is done is kept in made; the same command goes on from there"


@pytest.mark.parametrize(
    ("words", "folders"),
    [
        (("--classes", "fox,0"), ["cat", "fox"]),
        (("--classes", "Fox", "--classes", "cat,fox"), ["cat", "fox"]),
    ],
)
def test_classes_by_number_and_name(run, words, folders):
    run(*NOISE, "--per-class", "1", "-o", "made", *words)
    assert sorted(path.name for path in Path("made").iterdir() if path.is_dir()) == folders


def test_a_generator_of_any_class_takes_words(run):
    ran = run("synth", "--model", "py:makers.py:anything", "--classes", "red panda,fox", "--per-class", "1", "-o", "made")
    assert ran.code == 0, ran.err
    assert sorted(oodkit.open_images("made").class_names) == ["fox", "red panda"]


def test_a_classifiers_classes_are_made_under_its_names(run):
    ran = run("synth", "--model", "py:makers.py:anything", "--like", "demo:digits-v1", "--per-class", "1", "-o", "made")
    assert ran.code == 0, ran.err
    assert oodkit.open_images("made").class_names == oodkit.load_classifier("demo:digits-v1").class_names


def test_images_without_classes_can_get_their_labels_later(run):
    out = run("synth", "--model", "py:makers.py:flat", "--count", "6", "-o", "flat").out.splitlines()
    assert out[-1] == "give them labels: oodkit synth --model dir:flat --label-with MODEL"
    ran = run("synth", "--model", "dir:flat", "--label-with", "demo:digits-v1", "-o", "made")
    assert ran.code == 0, ran.err
    assert len(oodkit.open_images("made")) == 6
    assert set(oodkit.open_images("made").class_names) <= set("01234567")


def test_off_a_terminal_a_line_a_tenth_where_it_takes_a_while(monkeypatch, capsys):
    """100 images, of which 20 were there, at one a second from then on; 3 at a time, so that 32 is the first of the third tenth."""
    clock = iter(range(100))
    monkeypatch.setattr(synth_progress, "monotonic", lambda: 3 * next(clock))
    with synth_progress.shown_images(quiet=False) as show:
        for done in range(20, 101, 3):
            show(done, 100, "")
        show(100, 100, "")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "32 of 100 images, 1.0 images/s, 68 s left"
    assert [line.partition(" ")[0] for line in lines] == ["32", "41", "50", "62", "71", "80", "92"]
    with synth_progress.shown_images(quiet=True) as show:
        assert show is None


def test_a_synthesis_is_no_result(run):
    """Of those that oodkit report tells; what does tell of it is named."""
    run(*NOISE, "--per-class", "1", "-q")
    folder = "oodkit-runs/synth-001"
    told = f"{folder} holds synthetic images (run.json); how good they are: oodkit synth quality --real SET --synthetic {folder}"
    for name in (folder, "synth-001", f"{folder}/run.json"):
        assert run("report", name)[::2] == (2, f"error: {told}\n")


def test_labels_of_a_classifier_and_what_is_dropped_is_told(run):
    """Noise of one brightness: whatever digits the classifier takes it for, of two images it is 0.53 sure, of the others 0.67."""
    words = ("synth", "--model", "py:makers.py:flat", "--label-with", "demo:digits-v1", "--count", "20", "-o", "made")
    ran = run(*words, "--min-confidence", "0.6")
    assert ran.code == 0, ran.err
    assert "making 20 images, labelled by demo:digits-v1, into made" in ran.err
    counts = document("made")["counts"]
    assert (counts["made"], counts["kept"], counts["dropped"]["unsure"]) == (20, 18, 2)
    images = oodkit.open_images("made")
    assert len(images) == counts["kept"]
    lines = [json.loads(line) for line in (Path("made") / "manifest.jsonl").read_text("utf-8").splitlines()]
    assert all(line["confidence"] >= 0.6 and line["labelled_by"] == "demo:digits-v1" for line in lines)
    assert "2 of 20 dropped (10.0 %): 2 too unsure" in ran.out


def test_what_the_classifier_disagrees_with_is_dropped_and_told_by_class(run, tmp_path):
    """Twos in the folder of threes: the demo's network, right on every training image, keeps the threes and drops the twos."""
    digits = oodkit.open_images("demo:digits:train")
    for label in (2, 3):
        for number, place in enumerate((digits.labels == label).nonzero()[0][:3]):
            folder = tmp_path / "found" / "3"
            folder.mkdir(parents=True, exist_ok=True)
            digits.load(int(place)).save(folder / f"{label}-{number}.png")
    ran = run("synth", "--model", "dir:found", "--like", "demo:digits-v1", "--keep-agreeing", "-o", "made")
    assert ran.code == 0, ran.err
    assert "note: " in ran.err
    lines = ran.out.splitlines()
    assert lines[0].startswith("3 images of 1 class by dir:found, in ")
    assert lines[1:3] == ["3 of 6 dropped (50.0 %): 3 of another class, the classifier says", "most of: '3': 3"]


def test_names_from_elsewhere_do_not_reach_the_terminal_as_they_are(run):
    ran = run("synth", "--model", "py:makers.py:hostile", "--per-class", "1")
    assert ran.code == 0, ran.err
    assert "\x1b" not in ran.out + ran.err
    assert "licence: free\\x1b[2J" in ran.err


def test_the_advised_command_trains_with_them(run):
    """The demo's digits themselves, as if they had been made."""
    digits = oodkit.open_images("demo:digits:val")
    for place in range(40):
        folder = Path("found") / str(digits.labels[place])
        folder.mkdir(parents=True, exist_ok=True)
        digits.load(place).save(folder / f"{place}.png")
    out = run("synth", "--model", "dir:found", "-o", "made").out
    words = out.splitlines()[-1].removeprefix("train with them: oodkit ").split()
    words = [{"ARCH": "test_resnet", "SET": "demo:digits:train"}.get(word, word) for word in words]
    quick = ("--input-size", "32", "--epochs", "1", "--batch-size", "16", "--limit", "40", "--workers", "0", "--device", "cpu")
    ran = run(*words, *quick)
    assert ran.code == 0, ran.err
    assert "synthetic images (SIO): 80 % of each batch were real images" in ran.out
