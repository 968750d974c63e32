"""OpenOOD's image lists."""

import pytest
from PIL import Image

from oodkit.errors import ImageSetError, UnreadableImageError
from oodkit.images import open_images


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "deep/b.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (3, 2)).save(tmp_path / "images" / name)
    return tmp_path


def written(folder, text, name="list.txt"):
    (folder / name).write_bytes(text.encode())
    return folder / name


def test_paths_and_labels_are_read_relative_to_the_root(folder):
    images = open_images(written(folder, "deep/b.png 7\na.png -1\n"), root=folder / "images")
    assert images.labels.tolist() == [7, -1]
    assert [images.image_name(0), images.image_name(1)] == ["deep/b.png", "a.png"]
    assert images.class_names is None
    assert images.load(0).size == (3, 2)


def test_without_a_root_paths_are_relative_to_the_list(folder):
    assert open_images(written(folder / "images", "a.png 0\n")).load(0).size == (3, 2)


def test_windows_line_ends_a_byte_order_mark_and_empty_lines_are_no_matter(folder):
    images = open_images(written(folder, "\ufeffa.png 1\r\n\r\ndeep/b.png 2"), root=folder / "images")
    assert images.labels.tolist() == [1, 2]
    assert images.load(0).size == (3, 2)


def test_a_dict_literal_is_label_0_as_in_openood(folder):
    assert open_images(written(folder, "a.png {'label': 3, 'soft_label': [0.1]}\n"), root=folder / "images").labels.tolist() == [0]


@pytest.mark.parametrize("line", ["/a.png 0", "a.png", "a.png cat", "a.png -2", "a.png 1.5", "with space.png 1", "a.png [1]"])
def test_a_malformed_line_is_named_with_its_number(folder, line):
    with pytest.raises(ImageSetError, match=r"list.txt, line 2: expected .*, got '"):
        open_images(written(folder, f"a.png 0\n{line}\n"), root=folder / "images")


def test_a_missing_file_is_an_unreadable_image(folder):
    images = open_images(written(folder, "gone.png 0\na.png 1\n"), root=folder / "images")
    with pytest.raises(UnreadableImageError, match="No such file"):
        images.load(0)
    assert images.load(1).size == (3, 2)
    before = images.fingerprint()
    Image.new("RGB", (1, 1)).save(folder / "images" / "gone.png")
    assert images.fingerprint() != before


def test_a_list_of_which_no_file_is_there_names_the_root_that_was_tried(folder):
    with pytest.raises(
        ImageSetError, match=rf"none of the 2 images of .*list.txt is below {folder}, such as a.png: name the folder"
    ):
        open_images(written(folder, "a.png 0\ndeep/b.png 0\n"))


def test_an_empty_list_is_an_error(folder):
    with pytest.raises(ImageSetError, match="holds no image"):
        open_images(written(folder, "\n"))


@pytest.mark.parametrize("label", ["1" * 30, "1" * 5000, "1000000"])
def test_a_label_that_is_no_number_of_a_class_is_malformed(folder, label):
    with pytest.raises(
        ImageSetError, match="line 1: expected a path below the images' folder, a space and a label from −1 to 999999"
    ):
        open_images(written(folder, f"a.png {label}\n"), root=folder / "images")


def test_a_path_that_no_file_can_have_is_an_unreadable_image(folder):
    images = open_images(written(folder, "a.png 1\na\0b.png 2\n"), root=folder / "images")
    assert images.fingerprint()
    assert images.image_name(1) == r"a\x00b.png"
    with pytest.raises(UnreadableImageError, match="null"):
        images.load(1)
