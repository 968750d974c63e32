"""Files of oodkit's own formats, made small, and what is read of each: for tests that damage and craft them."""

import shutil
from pathlib import Path

import torch

from oodkit.calibration import Calibration
from oodkit.classifier import Classifier
from oodkit.detector import Detector
from oodkit.errors import OodkitError
from oodkit.head import Head
from oodkit.outputs import Outputs, Skipped
from oodkit.report.runs import load_run
from oodkit.scorers import SCORERS, load_scorer, make_scorer
from oodkit.shards import HEAD_FILE, Manifest, open_outputs, write_manifest, write_shard

from .conftest import TinyNet, tiny_transform

GOLDEN = Path(__file__).parent / "report" / "golden"
DETECTED = ("mls", "knn", "vim")


def tiny() -> Classifier:
    net = TinyNet().eval()
    head = Head(net.head.weight.detach(), net.head.bias.detach(), ("head",))
    return Classifier("tiny", net, tiny_transform, head, (3, 8, 8), {"input_size": [3, 8, 8]})


MODEL = tiny()


def images(rows: int = 60) -> Outputs:
    features = torch.rand(rows, 6, generator=torch.Generator().manual_seed(1))
    found = {scorer().probe(): scorer.uses for scorer in SCORERS.values() if scorer().probe()}
    logits = MODEL.head(features)
    extras = {probe: logits if uses == "logits" else features / 2 for probe, uses in found.items()}
    outputs = Outputs(features, torch.arange(rows) % 3, head=MODEL.head, extras=extras)
    return outputs.with_labels(outputs.predictions())


class Kind:
    """One kind of file: it lies at ``path``, and ``read`` gives what can be had of it, as text."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.path = name, folder / name.replace(":", "-") / "it.safetensors"
        self.path.parent.mkdir()
        kind, _, self.scorer = name.partition(":")
        self.read = getattr(self, f"_{kind}")
        getattr(self, f"_make_{kind}")()
        self.whole = self.path.read_bytes()
        self.expected = self.read()

    def _make_head(self) -> None:
        names = self.scorer.split("+")
        shapes = {f"{name}.{one}": shape for name in names for one, shape in (("weight", (3, 6 // len(names))), ("bias", (3,)))}
        Head(torch.rand(3, 6), torch.rand(3), tuple(names), shapes=shapes).save(self.path, {"source": "a net"})

    def _head(self) -> str:
        head = Head.load(self.path)
        return f"{head} {head.weight.tolist()} {head(torch.ones(1, head.num_features))}"

    def _make_scorer(self) -> None:
        self.fitted().save(self.path)

    def fitted(self):
        return make_scorer(self.scorer).fit(images())

    def _scorer(self) -> str:
        scorer = load_scorer(self.path)
        return f"{scorer} {scorer.settings()} {scorer.score(images()).tolist()} {scorer.caution(images())}"

    def _make_detector(self) -> None:
        scorer = self.fitted()
        Detector(MODEL, scorer, Calibration(scorer.score(images()).numpy(), 0.1)).save(self.path)

    def _detector(self) -> str:
        detector = Detector.load(self.path, model=MODEL)
        found = detector(torch.ones(2, 3, 8, 8))
        return f"{found} {detector.calibration.scores.tolist()} {detector.scorer.settings()}"

    def _make_shards(self) -> None:
        folder = self.path.parent
        MODEL.head.save(folder / HEAD_FILE)
        write_manifest(folder, Manifest("key", 20, 10, 4))
        outputs = images(20)
        for shard, rows in enumerate((torch.arange(10), torch.arange(11, 20))):
            part = outputs.subset(rows)
            columns = {name: getattr(part, name) for name in ("features", "logits", "labels", "indices")}
            write_shard(folder, shard, columns, [Skipped(10, "a.png", "broken")] if shard else [])
        self.path = folder / self.scorer

    def _shards(self) -> str:
        from oodkit.shards import missing_shards, read_manifest

        outputs = open_outputs(self.path.parent)
        scores = make_scorer("mls").score(outputs).tolist()
        manifest = read_manifest(self.path.parent)
        return f"{scores} {outputs.skipped} {outputs.labels} {manifest and missing_shards(self.path.parent, manifest)}"

    def _make_run(self) -> None:
        shutil.copytree(GOLDEN, self.path.parent, dirs_exist_ok=True)
        self.path = self.path.parent / self.scorer

    def _run(self) -> str:
        run = load_run(self.path.parent)
        scores = {(model, name): [*by_set.values()] for model, found in run.scores.items() for name, by_set in found.items()}
        return f"{run.document} {scores} {run.correct}"


STORED = ["head:fc", "head:a+b", *(f"detector:{name}" for name in DETECTED), *(f"scorer:{name}" for name in SCORERS)]
KINDS = [
    *STORED,
    "shards:00001.safetensors",
    "shards:manifest.json",
    f"shards:{HEAD_FILE}",
    "run:result.json",
    "run:scores.safetensors",
]


def outcome(kind: Kind, contents: bytes) -> str | None:
    """What is read of the file with other contents, or None where it is refused, in one short line that no terminal obeys."""
    kind.path.unlink(missing_ok=True)  # and not written into, as it may be memory-mapped
    kind.path.write_bytes(contents)
    try:
        return kind.read()
    except OodkitError as error:
        line = str(error).replace(str(kind.path.parent), "")
        assert line.isprintable(), line
        assert len(line) < 700, line
        return None
