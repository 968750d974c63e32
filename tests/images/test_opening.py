"""What the name of an image set means where it is empty or odd."""

import io
import tarfile

import pytest
from PIL import Image

from oodkit.errors import ImageSetError, UsageError
from oodkit.images import open_images
from oodkit.images.stream import open_stream
from oodkit.synth.existing import Existing


@pytest.mark.parametrize("opened", [open_images, lambda name: open_stream([name])])
def test_an_empty_name_is_not_the_folder_at_hand(tmp_path, monkeypatch, opened):
    """``--id "$SET"`` with the variable unset."""
    Image.new("RGB", (2, 2)).save(tmp_path / "x.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"^the name of the image set is empty; write \. for the folder at hand$"):
        opened("")
    assert len(open_images(".")) == 1


def test_a_tilde_is_the_home_folder_where_no_shell_has_put_it_in(tmp_path, monkeypatch):
    """As behind a =: ``--near my-pets=~/pets``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    for folder, count in (("home/pets", 2), ("~/own", 3)):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (2, 2)).save(tmp_path / folder / f"{number}.png")
    assert len(open_images("~/pets")) == len(list(open_stream(["~/pets"]).entries)) == 2
    assert open_images("~/pets").spec == str(tmp_path / "home/pets"), "who looks beside the images finds their folder"
    assert len(open_images("~/own")) == 3, "a folder of that very name goes first"
    with pytest.raises(ImageSetError, match=r"^no folder or file .*home.pots; did you mean pets\?$"):
        open_images("~/pots")
    with pytest.raises(ImageSetError, match=r"^no folder or file ~nobody-at-all/x"):
        open_images("~nobody-at-all/x")


@pytest.mark.parametrize("opened", [open_images, lambda name: open_stream([name]), lambda name: Existing(f"dir:{name}")])
def test_what_the_system_refuses_to_look_at_is_one_line(opened):
    """Python's pathlib raises what it says of too long a name, and of a folder in one that may not be entered."""
    with pytest.raises(ImageSetError, match=r"can't open .*xxx: File name too long; check the path, and whether it may be read$"):
        opened("x" * 300)


def header(name, size):
    """Of a member of a tar file. size: as it stands in its 12 bytes."""
    block = bytearray(tarfile.TarInfo(name).tobuf(tarfile.USTAR_FORMAT))
    block[124:136], block[148:156] = size, b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ((-512).to_bytes(12, "big", signed=True), "1.png has a size below 0|invalid|read length"),
        (b"\x80" + (2**62).to_bytes(11, "big"), "."),
    ],
)
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, b"?"])
def test_a_size_that_leads_back_or_beyond_all_memory_is_a_damaged_shard(tmp_path, size, told, kind):
    """Python 3.11 reads the same header again and again."""
    member = bytearray(header("1.png", size))
    member[156:157], member[148:156] = kind, b" " * 8
    member[148:156] = b"%06o\0 " % sum(member)
    (tmp_path / "x.tar").write_bytes(header("0.png", b"\0" * 12) + bytes(member) + bytes(1024))
    with pytest.raises(ImageSetError, match=rf"can't read .*x\.tar: {told}"):
        open_images("wds:x.tar", root=tmp_path)


def test_of_a_bar_in_the_name_of_shards_only_a_number_behind_it_is_ignored(tmp_path):
    """A command, ``pipe:curl … | zcat``, has such bars too."""
    png = io.BytesIO()
    Image.new("RGB", (2, 2)).save(png, "PNG")
    with tarfile.open(tmp_path / "a|b.tar", "w") as tar:
        member = tarfile.TarInfo("0.png")
        member.size = len(png.getvalue())
        tar.addfile(member, io.BytesIO(png.getvalue()))
    for name in ("a|b.tar", "a|b.tar|50000"):
        assert len(open_images(f"wds:{name}", root=tmp_path)) == 1
