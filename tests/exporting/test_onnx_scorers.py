"""Every scorer goes into an ONNX graph with the scores that it gives itself, or says why not."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import oodkit
from oodkit.classifier import Classifier
from oodkit.errors import NotApplicableError
from oodkit.exporting import onnx as form
from oodkit.exporting.onnx import export_onnx
from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS, make_scorer
from oodkit.scorers.module import ScorerModule

from .graphs import detector_of, onnxruntime

IN_NO_GRAPH = {"relation", "odin", "adascale-a", "adascale-l", "rankfeat"}
PARTS = 4


def test_those_that_go_into_no_graph_are_known() -> None:
    assert {name for name in SCORERS if make_scorer(name).untraceable()} == IN_NO_GRAPH


class AllScores(nn.Module):
    def __init__(self, judges: dict[str, ScorerModule]) -> None:
        super().__init__()
        self.judges = nn.ModuleList(judges.values())

    def forward(self, features: Tensor, logits: Tensor) -> list[Tensor]:
        return [judge(features, logits) for judge in self.judges]


@pytest.mark.parametrize("part", range(PARTS))
def test_every_scorer_goes_into_a_graph(tmp_path: Path, part: int) -> None:
    """Many in one graph of features and logits, which is written in the time of a few: the scores are those of score()."""
    generator = torch.Generator().manual_seed(0)
    head = oodkit.Head(torch.randn((6, 24), generator=generator), torch.randn(6, generator=generator))
    labels = torch.arange(603) % 6
    whole = Outputs((torch.randn((603, 24), generator=generator) + 2 * head.weight[labels]).relu(), labels, head=head)
    learnt, new = whole.subset(torch.arange(600)), whole.subset(torch.arange(600, 603))
    names = [name for name in SCORERS if name not in IN_NO_GRAPH][part::PARTS]
    fitted = {name: make_scorer(name).fit(learnt) for name in names}
    graph = AllScores({name: ScorerModule(scorer, head) for name, scorer in fitted.items()}).eval()
    rows = torch.export.Dim("rows", min=1)
    with form._quiet():
        traced = torch.export.export(graph, (learnt.features, learnt.logits), dynamic_shapes=({0: rows}, {0: rows}))
        program = torch.onnx.export(traced, input_names=["features", "logits"], output_names=names, verbose=False)
    assert "Sigmoid" not in {node.op_type for node in program.model.graph}, "onnxruntime's is 0 or below from −18 on"
    program.save(tmp_path / "scores.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "scores.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {"features": new.features.numpy(), "logits": new.logits.numpy()})
    for scores, scorer in zip(found, fitted.values(), strict=True):
        expected = scorer.score(new)
        torch.testing.assert_close(
            torch.from_numpy(scores), expected, rtol=0, atol=1e-6 * float(expected.abs().max()), msg=scorer.name
        )


def test_scorers_without_a_fixed_graph_are_refused_with_the_reason(tiny_model: Classifier, tmp_path: Path) -> None:
    with pytest.raises(NotApplicableError, match=r"^relation passes over much of its bank, .*; export the model without a scorer"):
        export_onnx(detector_of(tiny_model, "relation"), tmp_path / "no.onnx")
    assert "take index=exact" in (make_scorer("knn", index="ivf").untraceable() or "")
    assert "runs the network again" in (make_scorer("odin").untraceable() or "")
    assert make_scorer("odin", noise=0).untraceable() is None
    assert not list(tmp_path.iterdir())
