"""The documentation says what the code does: every word of it that can be checked is checked here."""

import ast
import importlib.util
import json
import re
import shlex
from importlib.resources import files
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any, get_args

import jsonschema
import pytest
import typer
from typer.testing import CliRunner

import oodkit
from oodkit import errors
from oodkit.advice import WEAK
from oodkit.benchmarks import BENCHMARKS
from oodkit.cli import app
from oodkit.lead import MARGIN
from oodkit.report.rows_csv import CHANGE, COLUMNS
from oodkit.report.sheets import comparison_sheet
from oodkit.scorers import SCORERS
from oodkit.synth import all_generators
from oodkit.training.recipes import RECIPES
from oodkit.verdict import Code

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
README = REPOSITORY / "README.md"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts) + ([README] if README.exists() else [])
FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
PROMPT = re.compile(r"^ *(\$ )?([A-Z_]+=\S+ )*")
TYPED = re.compile(r"(?:^|\| |&& |-m )(oodkit\b.*)")  # by a launcher (-m) or behind another program too
SCHEMA = json.loads(files("oodkit.report").joinpath("schemas/diagnose.schema.json").read_text("utf-8"))
MARKER = "<!-- generated: options {} -->"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def _name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def _id(value: Path | str) -> str:
    return _name(value) if isinstance(value, Path) else value


def commands() -> dict[str, Any]:
    """Every command that does something, by its words: "diagnose", "data check"; "synth fit" before "synth", itself a command."""
    found: dict[str, Any] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        children = getattr(command, "commands", {})
        for name, child in children.items():
            walk(child, (*words, name))
        if not children or command.invoke_without_command:
            found[" ".join(words)] = command

    walk(typer.main.get_command(app), ())
    return found


def option_names(command: Any) -> set[str]:
    return {
        name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("-")
    } | {"-h", "--help"}


COMMANDS = commands()
EVERY_OPTION = set().union(*map(option_names, COMMANDS.values())) | option_names(typer.main.get_command(app))


def command_lines(path: Path) -> list[str]:
    """What is shown as typed, from the word oodkit on, with continued lines joined."""
    consoles = [
        body for _, language, body in FENCE.findall(path.read_text(encoding="utf-8")) if language in {"console", "bash", "sh"}
    ]
    lines = "\n".join(consoles).replace("\\\n", " ").splitlines()
    typed = [TYPED.search(PROMPT.sub("", line)) for line in lines]
    return [one[1].partition(" | ")[0].rstrip() for one in typed if one]


def python_blocks(path: Path) -> list[str]:
    blocks = [body for _, language, body in FENCE.findall(path.read_text(encoding="utf-8")) if language == "python"]
    return [dedent(block) for block in blocks]


def anchors(path: Path) -> set[str]:
    """The fragments of a page's headings, as GitHub and MyST make them: of equal ones the second gets a 1."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    counted = [(one, plain[:place].count(one)) for place, one in enumerate(plain)]
    return {f"{one}-{before}" if before else one for one, before in counted}


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_blocks_are_what_the_code_says_now(generate: ModuleType) -> None:
    stale = [_name(path) for path, before, after in generate.pages() if before != after]
    assert not stale, "run: python docs/generate.py"


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_has_its_page_with_its_options(words: str) -> None:
    own = (DOCS / "commands" / f"{words.replace(' ', '-')}.md").exists()
    home = words if own else words.partition(" ")[0]
    text = page(f"commands/{home.replace(' ', '-')}.md")
    assert text.startswith(f"# oodkit {home}\n")
    assert f"# oodkit {words}\n" in text
    assert MARKER.format(words) in text
    for option in option_names(COMMANDS[words]) - {"-h", "--help"}:
        assert re.search(rf"`{option}[` ]", text), f"{option} of {words} is not documented"


def test_a_flag_without_a_default_has_none_in_the_table() -> None:
    """What is decided elsewhere, by the recipe for example, stands in its text alone."""
    rows = {row.split("`")[1]: row.split(" | ")[1] for row in page("commands/train.md").splitlines() if row.startswith("| `--")}
    assert [rows[f"--{flag}"].strip() for flag in ("flip", "ema", "augdelete", "epochs N", "json")] == [""] * 5
    assert rows["--stem STEM"] == "`auto`"
    assert "| `--private`, `--public` | `--private` |" in page("commands/export.md")


@pytest.mark.parametrize(
    ("words", "epochs", "lr"), [("train", "100, or 90", "0.1"), ("finetune", "10", "0.01"), ("ablate", "100, or 90", "0.1")]
)
def test_each_command_that_trains_tells_its_own_defaults(words: str, epochs: str, lr: str) -> None:
    helps = {one.name: one.help for one in COMMANDS[words].params}
    assert f"by default {epochs}" in helps["epochs"]
    assert f"by default {lr}," in helps["lr"]
    assert "fine-tuning" not in helps["epochs"] + helps["lr"]


def test_the_options_of_oodkit_itself_are_documented() -> None:
    assert "<!-- generated: options -->" in page("index.md")
    assert {"`--version`", "`--debug`"} <= set(page("index.md").split())


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_no_option_is_documented_that_does_not_exist(path: Path) -> None:
    spans = re.findall(r"`([^`\n]+)`", FENCE.sub("", path.read_text(encoding="utf-8")))
    own = " ".join(span for span in spans if span.startswith(("-", "oodkit")))  # other programs have options too
    assert set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", own)) <= EVERY_OPTION


@pytest.mark.parametrize(("path", "line"), [(path, line) for path in PAGES for line in command_lines(path)], ids=_id)
def test_every_command_line_shown_can_be_typed(path: Path, line: str) -> None:
    words = [word for word in shlex.split(line, comments=True)[1:] if word not in {"--debug", "--version"}]
    words = words[: next((place for place, word in enumerate(words) if word in {">", "||"}), None)]
    command = next((one for one in COMMANDS if words[: len(one.split())] == one.split()), None)
    assert command is not None or words in ([], ["--help"]), f"{line}: no such command"
    if command is not None:
        COMMANDS[command].make_context(command, words[len(command.split()) :])  # every option, value and required argument


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), f"{_name(path)} links to {target}"
        assert not anchor or anchor in anchors(linked), f"{_name(path)} links to {target}"


@pytest.mark.parametrize(("path", "block"), [(path, block) for path in PAGES for block in python_blocks(path)], ids=lambda _: "")
def test_python_blocks_compile_and_those_that_assert_hold(path: Path, block: str) -> None:
    code = compile(block, _name(path), "exec")
    if any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(block))):
        exec(code, {})


def test_every_scorer_has_a_section_and_a_row() -> None:
    text = page("scorers.md")
    for name, scorer in SCORERS.items():
        assert f"\n## {name}\n\n{scorer.title} (" in text
        anchor = {"mds++": "mds-1", "rmds++": "rmds-1"}.get(name, name)  # signs are left out of anchors, and mds is there
        assert f"| [`{name}`](#{anchor}) |" in text


def test_every_recipe_has_a_section_and_a_row() -> None:
    text = page("recipes.md")
    for name, recipe in RECIPES.items():
        assert f"\n## {name}\n\n{recipe.title} (" in text
        assert f"| [`{name}`](#{name}) |" in text


def test_every_generator_has_a_row_that_leads_to_a_section() -> None:
    text = page("generators.md")
    for one in all_generators():
        link = re.search(rf"^\| `{re.escape(one.form)}` \| \[.+?\]\(#(.+?)\) \|", text, re.MULTILINE)
        assert link is not None, one.form
        assert link[1] in anchors(DOCS / "generators.md")


def test_every_error_has_its_line_in_the_tree() -> None:
    text = page("errors.md")
    tree = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.OodkitError)]
    for error in tree:
        assert error.__name__ in text
        assert f"\n| {error.exit_code} | " in text


def test_every_benchmark_is_documented() -> None:
    for name, benchmark in BENCHMARKS.items():
        assert f"| `{name}` | {benchmark.num_classes} |" in page("commands/data.md")


def test_every_public_name_is_documented() -> None:
    assert sorted(re.findall(r"^### (\w+)$", page("python.md"), re.MULTILINE)) == oodkit.__all__


def test_every_verdict_is_documented() -> None:
    text = page("concepts.md")
    assert set(re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)) == set(get_args(Code))
    assert f"at least {100 * MARGIN:g} point:" in text
    assert f"below {100 * WEAK:g} %" in text


def test_every_environment_variable_is_documented() -> None:
    pattern = re.compile(r"OODKIT_[A-Z_]+")
    package = Path(oodkit.__file__).parent
    used = {name for path in package.rglob("*.py") for name in pattern.findall(path.read_text(encoding="utf-8"))}
    documented = {name for path in DOCS.rglob("*.md") for name in pattern.findall(path.read_text(encoding="utf-8"))}
    assert documented == used


def test_every_key_of_a_real_result_is_documented(tmp_path: Path) -> None:
    """The schema refuses a key that it does not hold, and the page holds the schema's."""
    words = ["diagnose", "demo:digits-v2", "--limit", "60", "--workers", "0", "--mixed", "--json", "--device", "cpu"]
    done = CliRunner().invoke(app, [*words, "--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    jsonschema.validate(json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8")), SCHEMA)


def test_the_page_of_the_result_names_the_keys_of_the_schema_and_no_others() -> None:
    """Each in the section of the object that has it: keys such as ``spec`` and ``note`` stand in several."""
    sections = dict(part.split("\n", 1) for part in page("results-schema.md").split("\n## ")[1:])
    for one in (SCHEMA, *SCHEMA["$defs"].values()):
        named = re.findall(r"^\| `(\S+)` \|", sections[one["title"]], re.MULTILINE)
        assert named == list(one["properties"])


def test_the_page_of_the_result_names_the_columns_of_the_csv() -> None:
    section = page("results-schema.md").split("\n## CSV\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert [name for cell in cells for name in re.findall(r"`(\w+)`", cell)] == [*COLUMNS, *CHANGE]


def test_the_readme_titles_a_comparison_of_models_as_the_terminal_does() -> None:
    rate = {"value": 1.0, "low": 0.9, "high": 1.0}
    model = {"name": "", "verdict": {"code": ""}, "best": None, "accuracy": rate, "summary": "mean", "results": []}
    sheet = comparison_sheet([model, model], intervals=False)
    assert f"\n{sheet.title}: {sheet.caption}\n" in README.read_text("utf-8")
