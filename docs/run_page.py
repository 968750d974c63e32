"""Run the Python cells of a page, one after the other, and compare what they print with the text block below each.

python docs/run_page.py docs/tour.md            fails where one prints something else
python docs/run_page.py docs/tour.md --write    writes what they print now
"""

import argparse
import re
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

CELL = re.compile(r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<printed>.*?)```\n)?", re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    text, names, differing = arguments.page.read_text("utf-8"), dict[str, object](), list[str]()

    def ran(cell: re.Match[str]) -> str:
        with redirect_stdout(StringIO()) as told:
            exec(compile(cell["code"], str(arguments.page), "exec"), names)  # noqa: S102 (the project's own page)
        if (printed := told.getvalue()) != (cell["printed"] or ""):
            differing.append(f"expected:\n{cell['printed'] or ''}\nprinted:\n{printed}")
        block = f"```python\n{cell['code']}```\n"
        return f"{block}\n```text\n{printed}```\n" if printed else block

    found = CELL.sub(ran, text)
    if arguments.write:
        arguments.page.write_text(found, "utf-8")
    elif differing:
        sys.exit("\n".join(differing))


if __name__ == "__main__":
    main()
