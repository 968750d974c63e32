"""The images that the best scorer of each model is most wrong about, and thumbnails of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from oodkit.classifier import Classifier
from oodkit.cli.inputs import Sets
from oodkit.diagnosis import Diagnosis
from oodkit.evaluation import best
from oodkit.extremes import Extreme, Extremes, ShownImage, most_accepted, most_rejected
from oodkit.images.base import ImageSet
from oodkit.images.thumbnails import thumbnail
from oodkit.outputs import Outputs
from oodkit.scoring import by_label


def extremes_of(model: Classifier, diagnosis: Diagnosis, outputs: Mapping[str, Outputs], sets: Sets, count: int) -> Extremes | None:
    """Of every set the ``count`` most extreme images, without thumbnails; None where none are wanted or no scorer gave scores."""
    top = best(diagnosis.rows)
    if top is None or not count:
        return None
    scored = by_label(diagnosis.scored)[top.scorer]
    names = _class_names(model, sets.id_test)
    return Extremes(
        top.scorer,
        {
            name: _shown(most_accepted(scored.id_scores, scores, count), outputs[name], sets.ood[name], names)
            for name, scores in scored.ood_scores.items()
        },
        _shown(most_rejected(scored.id_scores, count), outputs["id"], sets.id_test, names),
    )


def with_thumbnails(found: Mapping[str, Extremes], sets: Sets) -> tuple[dict[str, Extremes], dict[str, bytes]]:
    """The same by model with the names of thumbnails, and the files by these names."""
    images = {"id": sets.id_test, **sets.ood}
    asked = {(name, image.index) for one in found.values() for name, shown in _lists(one) for image in shown}
    made = {(name, index): thumbnail(images[name], index) for name, index in sorted(asked)}

    def named(name: str, shown: Sequence[ShownImage]) -> list[ShownImage]:
        files = [made[name, one.index] for one in shown]
        return [replace(one, thumbnail=file and file.name) for one, file in zip(shown, files, strict=True)]

    told = {
        model: replace(
            one,
            accepted={name: named(name, shown) for name, shown in one.accepted.items()},
            rejected=named("id", one.rejected),
        )
        for model, one in found.items()
    }
    return told, {one.name: one.content for one in made.values() if one is not None}


def _lists(extremes: Extremes) -> list[tuple[str, Sequence[ShownImage]]]:
    return [("id", extremes.rejected), *extremes.accepted.items()]


def _shown(found: Sequence[Extreme], outputs: Outputs, images: ImageSet, class_names: Sequence[str] | None) -> list[ShownImage]:
    own = outputs.subset(torch.tensor([one.row for one in found]))
    columns = (own.indices.tolist(), own.predictions().tolist(), own.labels.tolist())

    def named(label: int) -> str | None:
        return None if class_names is None or label < 0 else class_names[label]

    return [
        ShownImage(
            index=index,
            name=images.image_name(index),
            predicted=predicted,
            predicted_name=named(predicted),
            label=None if label < 0 else label,
            label_name=named(label),
            score=one.score,
            below=one.below,
        )
        for one, index, predicted, label in zip(found, *columns, strict=True)
    ]


def _class_names(model: Classifier, id_test: ImageSet) -> Sequence[str] | None:
    """The model's own or, where it names no classes, those of the ID images, whose order is then the model's."""
    if model.class_names is not None:
        return model.class_names
    return id_test.class_names if id_test.class_names and len(id_test.class_names) == model.num_classes else None
