"""Names of folders that any file system takes, and by which classes are found again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

import oodkit
from oodkit.images.classes import align_labels, places_among
from oodkit.images.folder_names import BESIDE, LONGEST, is_safe_folder, plain, safe_folders


@pytest.mark.parametrize("name", ["n01440764", "golden retriever", "tench, Tinca tinca", "Zürichsee", "7", "a.b", "köpek_2"])
def test_a_name_that_can_be_a_folder_stays_as_it_is(name):
    assert safe_folders([name]) == (name,)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("tv/monitor", "tv%2Fmonitor"),
        ("..", "%2E%2E"),
        (".hidden", "%2Ehidden"),
        ("end.", "end%2E"),
        ("\x1b[31mred\n", "%1B[31mred%0A"),
        ("\u202egnp", "%E2%80%AEgnp"),
        ("100%", "100%25"),
        ("a\\b:c", "a%5Cb%3Ac"),
        ("CON", "%43ON"),
        ("com¹.x", "%63om¹.x"),
        ("run.json", "%72un.json"),
        ("Manifest.jsonl", "%4Danifest.jsonl"),
        (".journal", "%2Ejournal"),
        ("", "%"),
        ("\udcff", "%ED%B3%BF"),
    ],
)
def test_what_no_folder_should_be_called_is_spelled_as_in_urls(name, folder):
    assert safe_folders([name]) == (folder,)


@pytest.mark.parametrize("name", ["tv/monitor", "", "CON", ".", "100%", "a:b" * 99, "ü" * 300])
def test_what_was_spelled_once_stays_as_it_is(name):
    """A generator fitted to a folder of oodkit's makes one of the same classes."""
    (folder,) = safe_folders([name])
    assert safe_folders([folder]) == (folder,)
    assert is_safe_folder(folder)
    assert not is_safe_folder(name)


def test_a_name_is_found_however_the_file_system_composes_its_letters():
    composed, decomposed = "Z\u00fcrichsee", "Zu\u0308richsee"
    assert plain(composed) == plain(decomposed)
    assert places_among([decomposed], [composed]) == [0]


def test_a_name_that_is_too_long_is_cut_and_still_its_own():
    one, other = safe_folders(["ü" * 300 + "a", "ü" * 300 + "b"])
    assert one != other
    assert max(len(name.encode()) for name in (one, other)) <= LONGEST


def test_classes_of_one_name_get_their_numbers():
    assert safe_folders(["crane", "tench", "Crane"]) == ("crane (0)", "tench", "Crane (2)")
    assert safe_folders(["crane", "crane", "crane (0)"]) == ("crane (0) (0)", "crane (1)", "crane (0) (2)")


NAMES = some.lists(some.text(max_size=12) | some.sampled_from(["crane", "Crane", "a/b", "a_b", ".", "..", "nul.txt", "cat, wild"]))


@given(NAMES)
def test_no_two_folders_are_alike_and_none_is_a_path_or_hidden(names):
    folders = safe_folders(names)
    assert len({plain(folder) for folder in folders}) == len(names)
    assert all(is_safe_folder(safe_folders([name])[0]) for name in names)
    assert not [folder for folder in folders if not folder or folder.startswith(".") or "/" in folder or not folder.isprintable()]


@given(some.lists(some.text(max_size=8) | some.sampled_from(["crane", "a/b", "a:b"]), unique_by=plain))
def test_a_class_is_found_again_by_its_folder(names):
    """Also next to classes whose first synonym it is: the whole name goes first."""
    assert places_among(safe_folders(names), names) == list(range(len(names)))


def test_classes_that_share_a_name_are_found_by_their_folders():
    names = ("crane", "tench", "crane")
    assert places_among(safe_folders(names), names) == [0, 1, 2]
    assert places_among(["crane"], names) == [-1]


def test_folders_of_hostile_names_are_aligned_with_the_model(tmp_path):
    names = ("tv/monitor", "../up", "crane", "crane", "line\nbreak", *BESIDE, ".journal", ".lock")
    for folder in safe_folders(names):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (2, 2)).save(tmp_path / folder / "1.png")
    images = oodkit.open_images(tmp_path)
    labels, note = align_labels(images, names, None, len(names))
    assert note is None
    assert np.array_equal(np.sort(labels), np.arange(len(names)))
    assert [images.class_names[one] for one in images.labels[np.argsort(labels)]] == list(safe_folders(names))
