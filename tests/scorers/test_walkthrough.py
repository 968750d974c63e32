"""The walkthrough of docs/contributing.md, followed to the letter in a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import oodkit

PAGE = Path(__file__).parents[2] / "docs" / "contributing.md"
CONTRACT = [Path(__file__).with_name(name) for name in ("test_contract.py", "test_hard_inputs.py")]


def test_a_scorer_of_one_file_and_one_line_is_in_the_command_line_and_keeps_the_contract(tmp_path):
    section = PAGE.read_text("utf-8").partition("\n## Add a scorer\n")[2].partition("\n## ")[0]
    block = re.search(r"```python\n(.+?)\n *```", section, re.DOTALL)
    assert block is not None
    copied = shutil.copytree(Path(oodkit.__file__).parent, tmp_path / "oodkit", ignore=shutil.ignore_patterns("__pycache__"))
    (copied / "scorers" / "margin.py").write_text(textwrap.dedent(block[1]), "utf-8")
    registry = copied / "scorers" / "__init__.py"
    text = registry.read_text("utf-8").replace("    RankFeat,\n)", "    RankFeat,\n    Margin,\n)")
    text = text.replace(
        "\nfrom oodkit.scorers.mds import", "\nfrom oodkit.scorers.margin import Margin\nfrom oodkit.scorers.mds import"
    )
    registry.write_text(text, "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OODKIT_CACHE": str(tmp_path / "cache")}

    def ran(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    sets = ("--id", "demo:digits", "--near", "unseen=demo:digits-unseen", "--limit", "40", "--baseline", "none")
    told = ran(
        "oodkit", "diagnose", "demo:digits-v1", *sets, "--scorer", "margin:temperature=2", "--device", "cpu", "--workers", "0"
    )
    assert "margin" in told
    assert re.search(
        r"\d+ passed", ran("pytest", *map(str, CONTRACT), "-k", "margin", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}")
    )
