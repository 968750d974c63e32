"""Imports run down only, the tensor side and the image side never meet, and heavy modules load where they are needed."""

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import oodkit

ROOT = Path(oodkit.__file__).parent

# From the top down. A module may import what stands in its own layer or in a lower one.
LAYERS = (
    {"", "__main__"},
    {"cli"},
    {"exporting"},
    {"report"},
    {"detector", "detector_file", "streaming", "training", "ablation", "synth"},
    {"diagnosis", "verdict", "advice", "lead", "rivals", "max_logits", "mixed_curve"}
    | {"repair", "repair_words", "after_repair", "changes"},
    {"evaluation", "scoring", "tuning", "refitting", "extraction", "extraction_plan", "forward", "reading"},
    {"scorers", "metrics", "delong", "curves", "extremes"}
    | {"accuracies", "calibration", "holm"}
    | {"classifier", "models", "heads", "tap", "probes", "code_identity", "recipe_facts", "images", "benchmarks", "demo"},
    {"solvers"},
    {"head", "outputs", "columns", "shards", "stats", "moments", "memo", "failures", "percentiles", "cache", "tensor_file"}
    | {"run_folder"},
    {"atomic", "errors", "processes", "specs", "wording"},
)
TENSOR_SIDE = {
    "scorers",
    "metrics",
    "delong",
    "accuracies",
    "calibration",
    "curves",
    "extremes",
    "evaluation",
    "scoring",
    "tuning",
    "refitting",
    "solvers",
    "diagnosis",
    "verdict",
    "advice",
    "lead",
    "rivals",
    "max_logits",
    "mixed_curve",
    "holm",
    "repair",
    "repair_words",
    "after_repair",
    "changes",
}
IMAGE_SIDE = {
    "images",
    "benchmarks",
    "classifier",
    "models",
    "heads",
    "tap",
    "recipe_facts",
    "code_identity",
    "extraction",
    "extraction_plan",
    "forward",
    "probes",
    "reading",
    "demo",
}

AT_THE_TOP = {
    "numpy",
    "PIL",
    "safetensors",
    "torch",
}  # beside the standard library; anything else inside the function that needs it
AT_THE_TOP_OF = {"cli": {"rich", "typer"}, "report.console": {"rich"}, "report.terminal": {"rich"}}
# the commands import these inside their functions
HEAVY_CLI = {
    "oodkit.cli.request",
    "oodkit.cli.inputs",
    "oodkit.cli.class_order",
    "oodkit.cli.known_classes",
    "oodkit.cli.overlaps",
    "oodkit.cli.extracting",
    "oodkit.cli.interruptions",
    "oodkit.cli.choosing",
    "oodkit.cli.loading",
    "oodkit.cli.diagnosing",
    "oodkit.cli.exporting",
    "oodkit.cli.extremes",
    "oodkit.cli.mixing",
    "oodkit.cli.probing",
    "oodkit.cli.rows",
    "oodkit.cli.scoring",
    "oodkit.cli.last_run",
    "oodkit.cli.train_shares",
    "oodkit.cli.best_detector",
    "oodkit.cli.repairing",
    "oodkit.cli.ablating",
    "oodkit.cli.training",
    "oodkit.cli.training_progress",
    "oodkit.cli.training_result",
    "oodkit.cli.each_model",
    "oodkit.cli.synthesizing",
    "oodkit.cli.fitting",
    "oodkit.cli.synth_progress",
    "oodkit.cli.synth_result",
    "oodkit.cli.assessing",
    "oodkit.cli.samples",
}
LIGHT = {"oodkit.atomic", "oodkit.errors", "oodkit.processes", "oodkit.solvers", "oodkit.wording"}

FILES = sorted(ROOT.rglob("*.py"))
NAMES = [".".join(("oodkit", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__") for path in FILES]
MODULES = dict(zip(NAMES, FILES, strict=True))


def part_of(module: str) -> str:
    """The word that a module has its layer by: oodkit.scorers.knn is of scorers, oodkit itself of the empty word."""
    return module.split(".")[1] if "." in module else ""


def layer_of(module: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if part_of(module) in layer)


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports_of(module: str, *, nested: bool = True) -> set[str]:
    """Full names of the modules that ``module`` imports; without ``nested`` those outside functions only."""
    found: set[str] = set()
    for node in _nodes(_tree(module), nested=nested):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively; the project writes whole names"
            found |= {_module_or_home(node.module or "", alias.name) for alias in node.names}
    return found


def _module_or_home(home: str, name: str) -> str:
    return f"{home}.{name}" if f"{home}.{name}" in MODULES else home


def _nodes(tree: ast.AST, *, nested: bool) -> list[ast.AST]:
    nodes = []
    for child in ast.iter_child_nodes(tree):
        if nested or not (isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _is_for_types_alone(child)):
            nodes += [child, *_nodes(child, nested=nested)]
    return nodes


def _is_for_types_alone(node: ast.AST) -> bool:
    """Whether it is ``if TYPE_CHECKING:``, which nothing runs."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def own(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] == "oodkit"}


def test_every_module_has_a_place_in_the_layers() -> None:
    placed = set().union(*LAYERS)
    assert {part_of(name) for name in MODULES} == placed
    assert sum(map(len, LAYERS)) == len(placed), "a module stands in two layers"


def test_the_table_of_layers_in_the_docs_is_this_one() -> None:
    page = (Path(__file__).parents[1] / "docs" / "contributing.md").read_text(encoding="utf-8")
    rows = page.partition("| layer | modules |\n| --- | --- |\n")[2].partition("\n\n")[0].splitlines()
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == list(LAYERS[1:])


def test_imports_run_down() -> None:
    up = {module: [name for name in own(imports_of(module)) if layer_of(name) < layer_of(module)] for module in NAMES}
    assert not {module: found for module, found in up.items() if found}, "imports from a layer above its own"


def test_the_two_sides_never_import_each_other() -> None:
    across = {}
    for module in NAMES:
        other = IMAGE_SIDE if part_of(module) in TENSOR_SIDE else TENSOR_SIDE if part_of(module) in IMAGE_SIDE else set()
        across[module] = [name for name in own(imports_of(module)) if part_of(name) in other]
    assert not {module: found for module, found in across.items() if found}


def test_no_import_goes_round_in_a_circle() -> None:
    list(TopologicalSorter({module: own(imports_of(module, nested=False)) - {module} for module in NAMES}).static_order())


def test_only_the_command_line_knows_typer_and_nobody_click() -> None:
    packages = {module: {name.partition(".")[0] for name in imports_of(module)} for module in NAMES}
    assert not [module for module, found in packages.items() if "click" in found], "typer brings its own click: ask typer"
    assert not [module for module, found in packages.items() if "typer" in found and part_of(module) != "cli"]


def test_heavy_packages_load_inside_the_function_that_needs_them() -> None:
    heavy = {}
    for module in NAMES:
        packages = {name.partition(".")[0] for name in imports_of(module, nested=False)} - {"oodkit"} - sys.stdlib_module_names
        own_ones = AT_THE_TOP_OF.get(module.removeprefix("oodkit."), set()) | AT_THE_TOP_OF.get(part_of(module), set())
        heavy[module] = packages - AT_THE_TOP - own_ones
    assert not {module: found for module, found in heavy.items() if found}


def test_a_command_imports_only_light_modules_when_it_is_imported() -> None:
    heavy = {}
    for module in (name for name in NAMES if part_of(name) == "cli" and name not in HEAVY_CLI):
        found = imports_of(module, nested=False)
        others = {name for name in own(found) if part_of(name) != "cli" and name not in LIGHT}
        heavy[module] = others | ({name.partition(".")[0] for name in found} & AT_THE_TOP) | (found & HEAVY_CLI)
    assert not {module: found for module, found in heavy.items() if found}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["demo"],
        ["diagnose"],
        ["augdelete"],
        ["train"],
        ["ablate"],
        ["finetune"],
        ["synth"],
        ["synth", "fit"],
        ["synth", "quality"],
        ["score"],
        ["export"],
        ["report"],
        ["compare"],
        ["list"],
        ["data", "check"],
        ["cache", "list"],
        ["cache", "clear"],
        ["env"],
    ],
)
def test_help_does_not_import_torch(words: list[str]) -> None:
    script = "import sys; from oodkit.cli import app; app(sys.argv[1:], standalone_mode=False); sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script, *words, "--help"], capture_output=True, text=True, check=False, cwd=ROOT.parent
    )
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
