"""Labels that no class can have are refused wherever they are stored: a network for every class up to them would never be made."""

import io
import tarfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from oodkit.errors import ImageSetError
from oodkit.images import open_images
from oodkit.images.base import checked_labels
from oodkit.images.hub_sets import HubSet


class Rows(list):
    """As much of a ``datasets.Dataset`` as labels are read from."""

    def __init__(self, labels):
        super().__init__({"label": label} for label in labels)
        arrow = pytest.importorskip("pyarrow")
        self.data, self.features = arrow.table({"label": labels}), {"label": SimpleNamespace(names=None)}


def shard(path, label):
    png = io.BytesIO()
    Image.new("RGB", (2, 2)).save(png, "PNG")
    with tarfile.open(path, "w") as tar:
        for name, content in (("0.png", png.getvalue()), ("0.cls", str(label).encode())):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return f"wds:{path}"


def test_the_largest_label_that_a_class_can_have_is_taken():
    assert checked_labels(np.array([-1, 999_999], np.int32), 2, "x").tolist() == [-1, 999_999]
    assert checked_labels(np.zeros(0, np.uint8), 0, "x").dtype == np.int64


def test_of_shards(tmp_path):
    assert open_images(shard(tmp_path / "fits.tar", 999_999)).labels.tolist() == [999_999]
    with pytest.raises(ImageSetError, match=r"holds labels up to 999999999; expected numbers of classes, .*, below 1000000"):
        open_images(shard(tmp_path / "x.tar", 999_999_999))


@pytest.mark.parametrize(("label", "told"), [(2**40, f"up to {2**40}; expected numbers of classes"), (-100, "down to -100; ")])
def test_of_rows_of_the_hub(label, told):
    assert HubSet("hf:x", Rows([3, None, 999_999]), "image", "label").labels.tolist() == [3, -1, 999_999]
    with pytest.raises(ImageSetError, match=f"^hf:x holds labels {told}"):
        HubSet("hf:x", Rows([0, label]), "image", "label")
