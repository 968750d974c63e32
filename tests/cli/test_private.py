"""What names the user or their home is not told."""

from oodkit.cli.private import without_private


def test_home_and_user_are_not_named(monkeypatch):
    monkeypatch.setenv("HOME", "/home/alice")
    monkeypatch.setenv("USER", "alice.b")
    monkeypatch.setenv("LOGNAME", "alice.b")
    told = {
        "at home": "/home/alice/.cache",
        "home": "/home/alice",
        "another": "/home/alicelike/data",
        "elsewhere": ["/scratch/alice.b/run", "/data/project-Alice_2/x", r"D:\alice\data"],
        "an error": "OSError: '/home/alice/lib.so': no such file",
        "no path": "alice 1.2",
        "number": 3,
    }
    assert without_private(told) == {
        "at home": "~/.cache",
        "home": "~",
        "another": "/home/alicelike/data",
        "elsewhere": ["/scratch/<user>/run", "/data/project-<user>_2/x", r"D:\<user>\data"],
        "an error": "OSError: '~/lib.so': no such file",
        "no path": "alice 1.2",
        "number": 3,
    }


def test_a_user_without_a_home_or_whose_home_is_the_root_hides_nothing_else(monkeypatch):
    for variable in ("LOGNAME", "USER", "USERNAME", "SUDO_USER"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", "/")
    assert without_private("/data/cache") == "/data/cache"
