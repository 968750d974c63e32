"""What lies outside: the hubs that weights come from, the noise of the libraries that fetch them, and a broken installation."""

import http.client
import logging
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

from oodkit.errors import CheckpointError, ModelNotFoundError, OodkitError, UsageError
from oodkit.wording import first_line, in_short, printable

TIMEOUT_S = 5
SILENCE_S = 30  # of a server in the middle of a download
TRANSPORTS = {"httpcore", "httpcore2", "httpx", "httpx2", "requests", "urllib3"}
NOISY = ("timm", "huggingface_hub", "httpx")
_ALONE = threading.RLock()  # or one of two threads would put back what the other had set


def require_torchvision() -> None:
    """Raise OodkitError with the remedy where torch and torchvision don't belong together; timm needs both."""
    import torch

    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError) as error:
        remedy = "install a pair that belongs together: pip install --force-reinstall 'torch>=2.14' 'torchvision>=0.29.2'"
        raise OodkitError(f"torchvision does not work with torch {torch.__version__} ({first_line(error)}); {remedy}") from error


@contextmanager
def hub_or_cache() -> Iterator[None]:
    """Let huggingface_hub download; where the hub can't be reached, make it read its cache only instead of retrying for a minute.

    The libraries' log lines stay quiet, and progress bars show on a terminal only. One thread at a time, as these are settings of
    the whole process.
    """
    from huggingface_hub import constants

    with _ALONE, _quietly(), patient_sockets():
        offline = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = offline or not is_within_reach(constants.ENDPOINT)
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = offline


@contextmanager
def _quietly() -> Iterator[None]:
    from huggingface_hub import constants
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    undecided = constants.HF_HUB_DISABLE_PROGRESS_BARS is None and not are_progress_bars_disabled()
    hide_bars = undecided and not sys.stderr.isatty()
    levels = {name: logging.getLogger(name).level for name in NOISY}
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    if hide_bars:
        disable_progress_bars()
    try:
        yield
    finally:
        if hide_bars:
            enable_progress_bars()
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def why_no_download(name: str, arch: str | None, error: Exception) -> ModelNotFoundError:
    """The error for a classifier's weights that could not be fetched: what is in the way, and the ways round it."""
    return out_of_reach(name, error, f"give a local file: FILE --arch {arch or 'ARCH'}")


def out_of_reach(name: str, error: Exception, local: str) -> ModelNotFoundError:
    """The error for weights of the hub that could not be fetched; ``local`` says how a file or folder is given instead."""
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled, RepositoryNotFoundError

    if isinstance(error, RepositoryNotFoundError):
        reason = "its licence must be accepted first" if isinstance(error, GatedRepoError) else "the hub has no such repository"
        return ModelNotFoundError(f"can't download {name}: {reason}; look at the name, and log in (hf auth login) if it is private")
    if constants.HF_HUB_OFFLINE:
        reason = "HF_HUB_OFFLINE is set and they are not in the cache"
    elif isinstance(error, OfflineModeIsEnabled) or not is_within_reach(constants.ENDPOINT):
        reason = f"{constants.ENDPOINT} can't be reached and they are not in the cache"
    else:
        reason = first_line(error)
    return ModelNotFoundError(f"can't download the weights of {name}: {reason}; {local}, or copy a filled cache here (HF_HOME)")


@contextmanager
def reading_hub(name: str, absent: str, instead: str) -> Iterator[None]:
    """Read the hub, or its cache where it is out of reach; what fails there becomes an InputError or a UsageError.

    name: of the repository, as the user gave it. absent: what to say where it lacks the file. instead: what to do where it is out
    of reach.
    """
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError, LocalEntryNotFoundError

    try:
        with hub_or_cache():
            yield
    except HFValidationError as error:
        raise UsageError(f"{name!r} names no repository of the hub; write hf:OWNER/NAME or hf:OWNER/NAME@REVISION") from error
    except LocalEntryNotFoundError as error:  # of the cache, so of the hub it says nothing
        raise out_of_reach(printable(name), error, instead) from error
    except EntryNotFoundError as error:
        raise ModelNotFoundError(absent) from error
    except ValueError as error:
        raise CheckpointError(f"can't download {printable(name)}: {in_short(error) or 'no more is known'}") from error
    except Exception as error:  # the hub's client lets those of its transport through
        raise out_of_reach(printable(name), error, instead) from error


def hub_file(name: str, file: str) -> Path:
    """A file of ``hf-hub:OWNER/NAME[@REVISION]``, from the hub or its cache. Raises what huggingface_hub does."""
    from huggingface_hub import hf_hub_download

    repository, _, revision = name.removeprefix("hf-hub:").partition("@")
    return Path(hf_hub_download(repository, file, revision=revision or None))


def is_of_transport(error: Exception) -> bool:
    """Whether a download broke off: the hub's client lets the errors of what it fetches with through, which differs by version."""
    return type(error).__module__.partition(".")[0] in TRANSPORTS


def require_url(name: str, url: str, arch: str) -> None:
    """Raise ModelNotFoundError where torchvision's weights are neither in torch's cache nor within reach."""
    from torch.hub import get_dir

    file = Path(get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    if not file.exists() and not is_within_reach(url):
        local = f"give a local file: FILE --arch {arch}, or put it at {file}"
        raise ModelNotFoundError(f"can't download the weights of {name}: {url} can't be reached; {local}")


@contextmanager
def patient_sockets() -> Iterator[None]:
    """While open, a connection that falls silent is given up: torch.hub would wait for it for ever. One thread at a time."""
    with _ALONE:
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(SILENCE_S)
        try:
            yield
        finally:
            socket.setdefaulttimeout(before)


def is_within_reach(url: str) -> bool:
    """Whether a server answers there at all, within seconds. Proxies of the environment are used."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=TIMEOUT_S):  # noqa: S310 (https, from the libraries)
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, http.client.HTTPException, ValueError):  # what answers is no server, or the address is none
        return False
