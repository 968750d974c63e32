"""An upload to a stand-in of the Hub on this machine, through the Hub's own library."""

import socket
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants

from oodkit.errors import OodkitError, UsageError
from oodkit.exporting.hub import push, require_repository
from oodkit.exporting.target import MARK

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # huggingface_hub's own, of its HTTP client


MARKED = f"---\nlicense: mit\n---\n{MARK}\n# A card\n".encode()


@pytest.fixture
def files(tmp_path) -> dict[str, Path]:
    contents = {"README.md": MARKED, "head.safetensors": bytes(range(256)) * 10}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in contents}


def test_the_files_arrive_in_a_private_repository_of_their_own(hub, files):
    assert push(files, "me/net", private=True) == f"{hub.address}/me/net"
    assert hub.private == {"me/net": True}
    assert hub.files["me/net"] == {name: path.read_bytes() for name, path in files.items()}
    assert yaml.safe_load(hub.files["me/net"]["README.md"].split(b"---")[1]) == {"license": "mit"}


def test_public_it_is_only_where_that_is_asked_for(hub, files):
    push(files, "me/net", private=False)
    assert hub.private == {"me/net": False}


def test_an_earlier_export_is_renewed(hub, files):
    push(files, "me/net", private=True)
    files["README.md"].write_text("# Another\n")
    push(files, "me/net", private=True)
    assert hub.files["me/net"]["README.md"] == b"# Another\n"


def test_what_is_to_be_private_does_not_go_where_all_can_see_it(hub, files):
    hub.files["me/net"], hub.private["me/net"] = {}, False
    with pytest.raises(OodkitError) as error:
        push(files, "me/net", private=True)
    assert str(error.value) == ("can't upload to me/net: it is public; add --public if the export may be, or give another name")
    assert hub.files["me/net"] == {}


def test_it_is_not_mixed_with_what_others_have_put_there(hub, files):
    hub.files["me/net"], hub.private["me/net"] = {"thesis.pdf": b"years of work"}, True
    with pytest.raises(OodkitError) as error:
        push(files, "me/net", private=True)
    assert str(error.value) == "can't upload to me/net: it holds 'thesis.pdf', which is not of this export; give another name"
    assert hub.files["me/net"] == {"thesis.pdf": b"years of work"}


def test_a_card_of_somebody_elses_is_not_replaced(hub, files):
    hub.files["me/net"], hub.private["me/net"] = {"README.md": b"# Years of work"}, True
    with pytest.raises(OodkitError) as error:
        push(files, "me/net", private=True)
    assert str(error.value) == "can't upload to me/net: oodkit export has not written its README.md; give another name"
    assert hub.files["me/net"] == {"README.md": b"# Years of work"}


def test_a_bad_token_is_one_line_that_says_how_to_log_in(hub, files):
    hub.refused = True
    with pytest.raises(OodkitError) as error:
        push(files, "me/net", private=True)
    told = "can't upload to me/net: the Hub refuses it (401); log in with a token that may write: hf auth login"
    assert str(error.value) == told


def test_without_a_network_it_says_so(files, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with socket.socket() as deaf:  # it holds its port, and does not listen
        deaf.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        with pytest.raises(OodkitError) as error:
            push(files, "me/net", private=True)
    told = f"can't upload: {address} can't be reached; look at the network (or HF_ENDPOINT) and try again"
    assert str(error.value) == told


def test_offline_it_does_not_try(files, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OodkitError, match="can't upload: HF_HUB_OFFLINE is set; unset it and try again"):
        push(files, "me/net", private=True)


@pytest.mark.parametrize("name", ["net", "me/", "/net", "me/net/more", "me/a b", "", "https://huggingface.co/me/net"])
def test_what_is_no_repository_is_refused_before_any_work(name):
    with pytest.raises(UsageError, match="is no repository of the Hub; expected OWNER/NAME"):
        require_repository(name)
