"""An export on the Hugging Face Hub: one commit to a repository of its own."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oodkit.errors import OodkitError, UsageError
from oodkit.exporting.target import CARD, MARK
from oodkit.models.reach import hub_or_cache, is_within_reach
from oodkit.wording import in_short

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
LEFT_BY_THE_HUB = {".gitattributes"}


def require_repository(name: str) -> None:
    """Raise UsageError where ``name`` can't be a repository's."""
    if not REPOSITORY.fullmatch(name):
        raise UsageError(f"--push-to-hub {name!r} is no repository of the Hub; expected OWNER/NAME")


def push(files: Mapping[str, Path], repository: str, *, private: bool) -> str:
    """Upload ``files``, by their names there, in one commit; the repository is made where there is none. Returns its address.

    Raises OodkitError where the Hub can't be reached or refuses, where ``private`` is asked for and the repository is public, and
    where it holds other files: what others have put there is not mixed with an export.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, constants
    from huggingface_hub.errors import HTTPError

    require_repository(repository)
    _require_reach(constants)
    api = HfApi(endpoint=constants.ENDPOINT, library_name="oodkit")
    try:
        with hub_or_cache():
            _make_or_check(api, repository, files, private)
            operations = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=path) for name, path in files.items()]
            api.create_commit(repository, operations, commit_message="Upload of oodkit export")
    except (HTTPError, OSError, ValueError, RuntimeError) as error:
        raise OodkitError(f"can't upload to {repository}: {_reason(error)}") from error
    return f"{constants.ENDPOINT}/{repository}"


def _require_reach(constants: Any) -> None:
    if constants.HF_HUB_OFFLINE:
        raise OodkitError("can't upload: HF_HUB_OFFLINE is set; unset it and try again")
    if not is_within_reach(constants.ENDPOINT):
        raise OodkitError(
            f"can't upload: {constants.ENDPOINT} can't be reached; look at the network (or HF_ENDPOINT) and try again"
        )


def _make_or_check(api: Any, repository: str, files: Mapping[str, Path], private: bool) -> None:
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        found = api.repo_info(repository)
    except RepositoryNotFoundError:
        api.create_repo(repository, private=private)
        return
    if private and not found.private:
        raise OodkitError(f"can't upload to {repository}: it is public; add --public if the export may be, or give another name")
    others = sorted({one.rfilename for one in found.siblings or ()} - LEFT_BY_THE_HUB - files.keys())
    if others:
        raise OodkitError(f"can't upload to {repository}: it holds {others[0]!r}, which is not of this export; give another name")
    if any(one.rfilename == CARD for one in found.siblings or ()) and MARK not in _card_there(api, repository, found.sha):
        raise OodkitError(f"can't upload to {repository}: oodkit export has not written its {CARD}; give another name")


def _card_there(api: Any, repository: str, commit: str) -> str:
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    answer = get_session().get(f"{api.endpoint}/{repository}/resolve/{commit}/{CARD}", headers=build_hf_headers())
    hf_raise_for_status(answer)
    return str(answer.text)


def _reason(error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in {401, 403}:
        return f"the Hub refuses it ({status}); log in with a token that may write: hf auth login"
    cause = "" if error.__cause__ is None else f" ({error.__cause__})"
    return in_short(f"{error}{cause}")
