"""What loading changes for the whole process is put back, whatever other threads load; a broken installation is told its remedy."""

import re
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.metadata import requires

import pytest
from huggingface_hub import constants

from oodkit.errors import OodkitError
from oodkit.models import reach


def test_the_remedy_names_the_versions_that_the_package_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(OodkitError, match="torchvision does not work with torch") as told:
        reach.require_torchvision()
    asked = [text for text in requires("oodkit") or () if re.match(r"torch(vision)?>=", text)]
    assert len(asked) == 2
    assert re.findall(r"'(.+?)'", str(told.value).partition("--force-reinstall")[2]) == asked


class Watched:
    """A lock that says who comes to it, before they wait."""

    def __init__(self, comes: Callable[[], None]) -> None:
        self.lock, self.comes = threading.RLock(), comes

    def __enter__(self) -> None:
        self.comes()
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


@pytest.mark.parametrize("changed", [reach.hub_or_cache, reach.patient_sockets])
def test_of_two_threads_neither_leaves_the_others_settings_behind(
    monkeypatch: pytest.MonkeyPatch, changed: Callable[[], AbstractContextManager[None]]
) -> None:
    """The second one, which would take what the first has set for what was there, waits until that is put back."""
    here, far, inside = threading.current_thread(), threading.Event(), threading.Event()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(reach, "is_within_reach", lambda _: False)
    monkeypatch.setattr(reach, "_ALONE", Watched(lambda: None if threading.current_thread() is here else far.set()))

    def other() -> None:
        with changed():
            inside.set()
            far.set()

    second = threading.Thread(target=other)
    with changed(), changed():  # one thread may well load within a load
        second.start()
        far.wait()
        assert not inside.is_set()
    second.join()
    assert inside.is_set()
    assert (constants.HF_HUB_OFFLINE, socket.getdefaulttimeout()) == (False, None)
