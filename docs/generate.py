"""Write what the code knows into the pages, between ``<!-- generated: … -->`` and ``<!-- end -->``. A test holds it up to date.

Run ``python docs/generate.py`` after a change to an option, a scorer, a recipe, a generator, a benchmark, an error or a public
name.
"""

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from importlib.resources import files
from pathlib import Path
from textwrap import dedent
from typing import Any, get_args, get_type_hints

import typer

import oodkit
from oodkit import errors
from oodkit.benchmarks import BENCHMARKS, Listed
from oodkit.cli import app
from oodkit.report.papers import paper_url
from oodkit.scorers import SCORERS
from oodkit.synth import FOLDERS, GENERATORS, SCHEMES
from oodkit.synth.arguments import known_arguments
from oodkit.training.recipes import RECIPES

DOCS = Path(__file__).parent
WIDTH = 88  # characters that fit beside the page's two columns
BLOCK = re.compile(r"(<!-- generated: (?P<kind>\w+) ?(?P<rest>[\w -]*) -->\n).*?(<!-- end -->)", re.DOTALL)


def options(command: str) -> str:
    """The arguments and options of a command, ``data check`` for example; of oodkit itself where there is none."""
    hints = _types(_command(command))
    parameters = [one for one in _command(command).params if one.name in hints]  # without those that typer adds
    rows = [(_spelling(one, hints[one.name]), _default(one), _help(one, hints[one.name])) for one in parameters]
    return _table(("argument or option", "default", "what it does"), rows)


def scorers(_: str) -> str:
    """A table of all scorers, and a section for each with its formula, settings and presets."""
    rows = [
        (
            f"[`{name}`](#{anchor})",
            one.title,
            f"ID {one.fits_on}" if one.fits_on else "nothing",
            one.uses,
            "once" if one().probe() is None else "[again](#scorers-that-run-the-network-again)",
        )
        for anchor, (name, one) in zip(_anchors(SCORERS), SCORERS.items(), strict=True)
    ]
    sections = [_table(("scorer", "method", "fits on", "scores from", "network runs"), rows), *(_scorer(name) for name in SCORERS)]
    return "\n\n".join(sections)


def _anchors(headings: Iterable[str]) -> list[str]:
    """Where GitHub and MyST put headings of one word: without signs but - and _, numbered where that is taken (mds++: mds-1)."""
    plain = [re.sub(r"[^\w-]", "", heading) for heading in headings]
    earlier = [plain[:place].count(word) for place, word in enumerate(plain)]
    return [f"{word}-{count}" if count else word for word, count in zip(plain, earlier, strict=True)]


def recipes(_: str) -> str:
    """A table of all recipes, and a section for each with its formula, settings and what it is trained with."""
    rows = [
        (f"[`{name}`](#{anchor})", one.title, _needs(one.needs), ", ".join(f"`{scorer}`" for scorer in one.scored_by))
        for anchor, (name, one) in zip(_anchors(RECIPES), RECIPES.items(), strict=True)
    ]
    sections = [_table(("recipe", "method", "needs", "its paper judges by"), rows), *(_recipe(name) for name in RECIPES)]
    return "\n\n".join(sections)


def generators(_: str) -> str:
    """A table of all generators, and a section for each of those that make them, with what ``--generator-arg`` takes."""
    listed = [*GENERATORS.values(), *FOLDERS.values(), *SCHEMES.values()]
    rows = [
        (f"`{one.form}`", f"[{one.title}](#{_section(one.maker)})", one.images, one.licence, _fetched(one.needs)) for one in listed
    ]
    makers = dict.fromkeys(one.maker for one in listed)
    return "\n\n".join([_table(("generator", "method", "makes", "licence", "needs"), rows), *map(_maker, makers)])


def benchmarks(_: str) -> str:
    """The image sets of each benchmark with their numbers of images."""
    rows = [(f"`{name}`", str(one.num_classes), _sets(one.id), _sets(one.near), _sets(one.far)) for name, one in BENCHMARKS.items()]
    return _table(("benchmark", "classes", "in-distribution", "near-OOD", "far-OOD"), rows)


def exits(_: str) -> str:
    """The tree of errors, as errors.py draws it."""
    drawn = inspect.getdoc(errors)
    assert drawn is not None
    _, tree = drawn.split("\n\n", 1)
    return f"```text\n{tree}\n```"


def python(name: str) -> str:
    """The signature of a public name, what its docstring says and, for a class, its public methods."""
    thing = getattr(oodkit, name)
    parts = [f"```text\n{_signature(thing)}\n```", _prose(thing)]
    for method, function in vars(thing).items() if inspect.isclass(thing) else ():
        plain = getattr(function, "fget", None) or getattr(function, "__func__", function)
        if method.startswith("_") or not inspect.isfunction(plain) or not plain.__doc__:
            continue
        signature = _signature(plain, is_property=isinstance(function, property))
        parts.append(f"**{method}**\n\n```text\n{signature}\n```\n\n{_prose(plain)}")
    return "\n\n".join(part for part in parts if part)


def schema(name: str) -> str:
    """A section for each object of a document, with a row for each key, as its JSON Schema has them."""
    whole = json.loads(files("oodkit.report").joinpath(f"schemas/{name}.schema.json").read_text("utf-8"))
    sections = []
    for one in (whole, *whole["$defs"].values()):
        rows = [(f"`{key}`", _holds(value, whole["$defs"]), value["description"]) for key, value in one["properties"].items()]
        sections.append(f"## {one['title']}\n\n{one['description']}\n\n{_table(('key', 'type', 'holds'), rows)}")
    return "\n\n".join(sections)


KINDS: dict[str, Callable[[str], str]] = {
    one.__name__: one for one in (options, scorers, recipes, generators, benchmarks, exits, python, schema)
}


def generated(text: str) -> str:
    """A page with every block between markers made anew."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{KINDS[found['kind']](found['rest'])}\n\n{found[4]}", text)


def pages() -> Iterator[tuple[Path, str, str]]:
    """Every page that has such blocks: its path, its text, and its text made anew."""
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        if BLOCK.search(text):
            yield path, text, generated(text)


def _command(words: str) -> Any:
    command: Any = typer.main.get_command(app)
    for word in words.split():
        command = command.commands[word]
    return command


def _types(command: Any) -> dict[str, tuple[Any, ...]]:
    """Of each parameter the type, or the types of which it is one."""
    hints = get_type_hints(inspect.unwrap(command.callback))
    return {name: get_args(hint) or (hint,) for name, hint in hints.items() if name != "return"}


def _spelling(parameter: Any, types: tuple[Any, ...]) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    by_type = {bool: "", int: "N", Path: "PATH"}
    value = f" {parameter.metavar or by_type.get(types[0], parameter.name.rstrip('_').rpartition('_')[2].upper())}".rstrip()
    *others, last = sorted(parameter.opts, key=lambda name: name.startswith("--"))  # short ones first
    return ", ".join(f"`{name}`" for name in (*others, f"{last}{value}", *parameter.secondary_opts))


def _default(parameter: Any) -> str:
    value = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
    if parameter.param_type_name == "option" and parameter.secondary_opts and value is not None:
        return f"`{(parameter.opts if value else parameter.secondary_opts)[0]}`"
    return "required" if parameter.required else "" if value is None or value is False else f"`{value}`"


def _help(parameter: Any, types: tuple[Any, ...]) -> str:
    choices = [f"`{one.value}`" for one in types[0]] if inspect.isclass(types[0]) and issubclass(types[0], Enum) else []
    text = re.sub(r"--[a-z-]+", r"`\g<0>`", parameter.help)
    text += f" One of {', '.join(choices)}." if choices else ""
    return text + (f" In the environment: `{parameter.envvar}`." if parameter.envvar else "")


def _scorer(name: str) -> str:
    scorer = SCORERS[name]
    paper = {setting: f"`{value}`" for setting, value in scorer.presets.get("paper", {}).items()}
    rows = [(f"`{one.name}`", f"`{one.default}`", paper.get(one.name, "the same")) for one in fields(scorer)]  # type: ignore[arg-type]  # a dataclass
    settings = _table(("setting", "`openood`", "`paper`"), rows) if rows else "It has no settings."
    return f"## {name}\n\n{scorer.title} ({_paper(scorer.paper)}).\n\n{_prose(scorer)}\n\n{settings}"


def _recipe(name: str) -> str:
    recipe = RECIPES[name]
    rows = [(f"`{one.name}`", "as said above" if one.default is None else f"`{one.default}`") for one in fields(recipe)]  # type: ignore[arg-type]  # a dataclass
    belongs = ", ".join(f"`{setting}={value}`" for setting, value in recipe.trained_with.items())
    parts = [f"## {name}", f"{recipe.title} ({_paper(recipe.paper)}).", _prose(recipe)]
    parts += [f"Unless you say otherwise it is trained with {belongs}."] if belongs else []
    parts += [f"The logits of the trained network: {recipe.note}."] if recipe.note else []
    return "\n\n".join([*parts, _table(("setting", "default"), rows) if rows else "It has no settings."])


def _maker(maker: Any) -> str:
    title = f"## {maker.title[0].upper()}{maker.title[1:]}"
    given = {name: "" if one.default in (None, "") else f"`{one.default}`" for name, one in known_arguments(maker).items()}
    rows = [(f"`{name}`", default) for name, default in given.items()]
    return "\n\n".join([title, _prose(maker), _table(("argument", "default"), rows) if rows else "It has no arguments of its own."])


def _section(maker: Any) -> str:
    """Where GitHub and MyST put a heading of several words."""
    return re.sub(r"[^\w -]", "", maker.title.lower()).replace(" ", "-")


def _fetched(needs: str) -> str:
    return re.sub("^hf:(.+)", r"[\1](https://huggingface.co/\1)", needs) or "nothing"


def _needs(needs: Iterable[str]) -> str:
    return ", ".join(f"`--{one}`" for one in sorted(needs)) or "nothing"


def _paper(source: str) -> str:
    url = paper_url(source)
    return f"[{source}]({url})" if url else source


def _sets(listed: Mapping[str, Listed]) -> str:
    return ", ".join(name if one.count is None else f"{name} ({one.count:,})" for name, one in listed.items())


def _holds(value: Mapping[str, Any], sections: Mapping[str, Any]) -> str:
    """The type of a key in words, with a link to the section of what it holds."""
    if "$ref" in value:
        title = sections[value["$ref"].rpartition("/")[2]]["title"]
        return f"[{title[0].lower()}{title[1:]}](#{title.lower().replace(' ', '-')})"
    if "const" in value or "enum" in value:
        return ", ".join("null" if one is None else f"`{one}`" for one in value.get("enum", [value.get("const")]))
    if "anyOf" in value:
        return " or ".join(_holds(one, sections) for one in value["anyOf"])
    if "type" not in value:
        return "anything"
    words = [value["type"]] if isinstance(value["type"], str) else value["type"]
    if (value.get("minimum"), value.get("maximum")) == (0, 1):
        words = ["fraction" if word == "number" else word for word in words]
    inner = value.get("items") or value.get("additionalProperties")
    return " or ".join(words) + (f", each {_holds(inner, sections)}" if inner else "")


def _signature(thing: Any, *, is_property: bool = False) -> str:
    """As the source spells it, without the body: the same on every version of Python."""
    node = ast.parse(dedent(inspect.getsource(thing))).body[0]
    if inspect.isabstract(thing):
        return f"class {thing.__name__}"
    if isinstance(node, ast.ClassDef):
        if own := [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"]:
            return _call(node.name, own[0])
        stated = [ast.unparse(one) for one in node.body if isinstance(one, ast.AnnAssign)]
        return _laid_out(node.name, [one for one in stated if not one.startswith("_")])  # what is kept inside is no argument
    assert isinstance(node, ast.FunctionDef)
    return f"{node.name} -> {ast.unparse(node.returns or ast.Constant(None))}" if is_property else _call(node.name, node)


def _call(name: str, node: ast.FunctionDef) -> str:
    returns = "" if node.name == "__init__" or node.returns is None else f" -> {ast.unparse(node.returns)}"
    return _laid_out(name, _arguments(node.args)) + returns


def _arguments(arguments: ast.arguments) -> list[str]:
    given = arguments.posonlyargs + arguments.args
    defaults = [*[None] * (len(given) - len(arguments.defaults)), *arguments.defaults]
    words = [_argument(*one) for one in zip(given, defaults, strict=True) if one[0].arg not in {"self", "cls"}]
    if arguments.vararg or arguments.kwonlyargs:
        words.append(f"*{ast.unparse(arguments.vararg) if arguments.vararg else ''}")
    words += [_argument(*one) for one in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return words + ([f"**{ast.unparse(arguments.kwarg)}"] if arguments.kwarg else [])


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(argument) + (f" = {ast.unparse(default)}" if default else "")


def _laid_out(name: str, arguments: Sequence[str]) -> str:
    """On one line where that fits the page, else an argument a line."""
    line = f"{name}({', '.join(arguments)})"
    return line if len(line) <= WIDTH else "\n    ".join((f"{name}(", *(f"{one}," for one in arguments))) + "\n)"


def _prose(thing: Any) -> str:
    """A docstring as Markdown: its own code marks kept, whatever else Markdown would take for a sign escaped."""
    pieces = re.split(r"(``.+?``)", inspect.cleandoc(thing.__doc__ or ""), flags=re.DOTALL)
    signs = r"[\\*<\[\]|]|(?<!\w)_|_(?!\w)"
    return "".join(piece if number % 2 else re.sub(signs, r"\\\g<0>", piece) for number, piece in enumerate(pieces))


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *(tuple(cell.replace("|", r"\|") for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    for page, before, after in pages():
        if before != after:
            page.write_text(after, encoding="utf-8")
            print(f"written: {page.relative_to(DOCS)}")
