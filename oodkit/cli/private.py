"""What a user pastes into a public issue, without who the user is."""

import os
import re
from pathlib import Path
from typing import Any

IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")  # name and password


def without_private(value: Any) -> Any:
    """The value, lists and objects all through, with ``~`` for the home folder, ``<user>`` for the user's name in paths and ``…``
    for the name and password in a URL.
    """
    homes, names = _homes(), _user_names()
    home = re.compile("|".join(rf"{re.escape(one)}(?![\w.-])" for one in homes) or r"(?!)", re.IGNORECASE)
    name = re.compile("|".join(rf"(?<![^\W_]){re.escape(one)}(?![^\W_])" for one in names) or r"(?!)", re.IGNORECASE)

    def hidden(one: Any) -> Any:
        if isinstance(one, dict):
            return {key: hidden(inner) for key, inner in one.items()}
        if isinstance(one, list):
            return [hidden(inner) for inner in one]
        if not isinstance(one, str) or not ("/" in one or "\\" in one):
            return one  # a name alone may well be that of a package
        return name.sub("<user>", home.sub("~", IN_URL.sub("…", one)))

    return hidden(value)


def _homes() -> list[str]:
    """The home folder as it is named and where it truly lies, the longer first; nothing where it is the root."""
    try:
        home = Path.home()
        both = {home, home.resolve()}
    except (OSError, RuntimeError):  # RuntimeError: the user has none
        return []
    return sorted((str(one) for one in both if one.name), key=len, reverse=True)


def _user_names() -> list[str]:
    """The longer first: the name of the home folder may be the beginning of the user's."""
    names = {os.environ.get(variable, "") for variable in ("LOGNAME", "USER", "USERNAME", "SUDO_USER")}
    names |= {Path(home).name for home in _homes()}
    return sorted(names - {""}, key=len, reverse=True)
