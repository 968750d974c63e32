"""More files that come from users, and what is read of each: weights, trainings, syntheses, image lists and arrays."""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

import oodkit
from oodkit.cli import fitting, synth_result, training_result
from oodkit.detector import Detector
from oodkit.errors import UnreadableImageError, UsageError
from oodkit.images.synthesis import require_finished
from oodkit.synth.asking import Asker
from oodkit.synth.fit.fitted import FittedDiffusion
from oodkit.synth.fit.folder import read_fit
from oodkit.synth.folder import read_run
from oodkit.synth.journal import JOURNAL
from oodkit.synth.run import carry_out, plan_synthesis
from oodkit.training import folder as trained_folder
from oodkit.training.averaging import Average
from oodkit.training.checkpoints import Checkpoints, State
from oodkit.training.log import Log, read_log
from oodkit.training.optimizer import make_optimizer

from ..stored_files import Calibration, Kind, make_scorer  # noqa: TID252 (tests are no package)
from ..synth.fit.tiny import dark_and_bright, fitted  # noqa: TID252
from ..synth.stand_in import StandIn  # noqa: TID252
from ..training.small import digits, trained  # noqa: TID252
from ..training.toy_run import ADAMW, toy_batch, toy_learner  # noqa: TID252

ARCH = "test_resnet"
NARROW = {"layers": [1, 1, 1, 1], "channels": [4, 4, 4, 4], "stem_width": 4}
MORE_KINDS = [
    "checkpoint:safetensors",
    "pickle:zip",
    "pickle:legacy",
    "folder:config.json",
    "own:detector",
    "training:training.json",
    "training:log.jsonl",
    "state:last.safetensors",
    "synthesis:run.json",
    "synthesis:manifest.jsonl",
    "stopped:run.json",
    "stopped:journal",
    "fit:fit.json",
    "list:list.txt",
    "arrays:images.npz",
    "arrays:images.npy",
]


class Stopped(StandIn):
    """Interrupted when it is asked for its second batch."""

    def generate(self, requests: Any) -> torch.Tensor:
        if self.asked:
            raise KeyboardInterrupt
        return super().generate(requests)


class MoreKind(Kind):
    """As ``Kind``; where reading mends the folder, it reads a copy of it."""

    def _load(self, name: str | Path, **options: Any) -> str:
        model = oodkit.load_classifier(str(name), **options)
        with torch.no_grad():
            logits = model.net(torch.zeros(1, *model.input_size))
        return f"{model.input_size} {model.class_names} {model.class_ids} {model.about} {logits.tolist()}"

    def _network(self) -> torch.nn.Module:
        import timm

        torch.manual_seed(0)
        return timm.create_model(ARCH, num_classes=3, **NARROW).eval()

    def _make_checkpoint(self) -> None:
        facts = {
            "architecture": f"timm:{ARCH}",
            "model_args": '{"layers": [1, 1, 1, 1], "channels": [4, 4, 4, 4], "stem_width": 4}',
            "num_classes": "3",
            "input_size": "[3, 32, 32]",
            "mean": "[0.5, 0.5, 0.5]",
            "std": "[0.5, 0.5, 0.5]",
            "crop_pct": "0.9",
            "interpolation": "bicubic",
            "class_names": '["cat", "dog", "fox"]',
            "class_ids": '["n1", "n2", "n3"]',
            "recipe": '{"loss": "ce", "label_smoothing": 0.1, "mixup": "yes"}',
            "note": "logits are cosines",
        }
        save_file(self._network().state_dict(), self.path, facts)

    def _checkpoint(self) -> str:
        return self._load(self.path)

    def _make_pickle(self) -> None:
        from argparse import Namespace

        self.path = self.path.with_name("it.pth")
        stored = {"state_dict": self._network().state_dict(), "args": Namespace(lr=0.1), "epoch": 3, "best": torch.tensor(0.5)}
        torch.save(stored, self.path, _use_new_zipfile_serialization=self.scorer == "zip")

    def _pickle(self) -> str:
        return self._load(self.path, arch=ARCH, model_args=NARROW, input_size=32)

    def _make_folder(self) -> None:
        import timm

        config = {"label_names": ["n1", "n2", "n3"], "label_descriptions": {"n1": "cat", "n2": "dog", "n3": "fox"}}
        timm.models.save_for_hf(self._network(), self.path.parent, model_config=config, model_args=NARROW, safe_serialization=True)
        self.path = self.path.with_name(self.scorer)

    def _folder(self) -> str:
        return self._load(f"local-dir:{self.path.parent}", input_size=32)

    def _make_own(self) -> None:
        model = oodkit.load_classifier("demo:digits-v1")
        outputs = oodkit.extract(model, digits(), cache=False, workers=0)
        scorer = make_scorer("mls").fit(outputs)
        Detector(model, scorer, Calibration(scorer.score(outputs).numpy(), 0.1)).save(self.path)

    def _own(self) -> str:
        detector = Detector.load(self.path)
        return f"{detector(torch.ones(1, 3, 32, 32))} {detector.calibration.scores.tolist()}"

    def _make_training(self) -> None:
        trained(self.path.parent, epochs=1)
        self.asked = (trained_folder.read_run(self.path.parent) or {})["asked"]
        self.path = self.path.with_name(self.scorer)

    def _training(self) -> str:
        """What the folder says of its run, and what a training that goes on makes of the log."""
        folder = self.path.parent
        document = trained_folder.read_run(folder)
        assert document is not None, "a file is there"
        with suppress(UsageError):
            trained_folder.require_same(folder, document["asked"], self.asked)
        with Log(folder) as log:
            log.resume(2)
        result = training_result.told(folder, document, "a net") if trained_folder.is_finished(folder, document) else None
        return f"{trained_folder.trained_on(f'local-dir:{folder}')} {document} {read_log(folder)} {result}"

    def _make_state(self) -> None:
        self.path = self.path.with_name(self.scorer)
        Checkpoints(self.path.parent).save(self._state_after(2))

    def _state_after(self, steps: int) -> State:
        learner = toy_learner()
        state = State(learner, make_optimizer(learner, ADAMW), Average(learner, total_steps=9))
        for step in range(steps):
            sum(learner(toy_batch(step)).parts.values()).backward()
            state.optimizer.step()
            state.step += 1
        return state

    def _state(self) -> str:
        state, checkpoints = self._state_after(0), Checkpoints(self.path.parent)
        step = checkpoints.step()
        checkpoints.load(state)
        return f"{step} {state.step} {state.best} {state.finite()} {state.tally.sums}"

    def _synthesis_plan(self) -> Any:
        return plan_synthesis(StandIn(), per_class=2, batch_size=4)

    def _make_synthesis(self) -> None:
        carry_out(self._synthesis_plan(), self.path.parent)
        self.path = self.path.parent / self.scorer

    def _make_stopped(self) -> None:
        with suppress(KeyboardInterrupt):
            carry_out(plan_synthesis(Stopped(), per_class=2, batch_size=4), self.path.parent)
        self.path = self.path.parent / self.scorer
        if not self.path.is_file():
            (self.path,) = (self.path.parent / JOURNAL).glob("*.jsonl")

    def _synthesis(self) -> str:
        return self._mended(self.path.parent)

    def _stopped(self) -> str:
        return self._mended(self.path.parent.parent if self.path.parent.name == JOURNAL else self.path.parent)

    def _mended(self, made: Path) -> str:
        folder = made.with_name(f"{made.name}-again")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)
        document = read_run(folder)
        with suppress(UsageError):
            require_finished(oodkit.open_images(folder))
        done = carry_out(self._synthesis_plan(), folder)
        return f"{document} {synth_result.told(folder, done)} {sorted(path.name for path in folder.rglob('*.png'))}"

    def _make_fit(self) -> None:
        folder = self.path.parent
        fitted(dark_and_bright(folder / "images"), folder / "fit", epochs=1)
        self.path = folder / "fit" / self.scorer

    def _fit(self) -> str:
        folder = self.path.parent
        made = FittedDiffusion(folder, device="cpu", steps=2, dtype="float32")
        work = plan_synthesis(made, per_class=1).work
        images = Asker(made, None, lambda _: None).ask([work.request(number) for number in range(min(2, len(work)))])
        return f"{images} {made.classes} {made.facts} {fitting.told(folder, read_fit(folder) or {})}"

    def _make_list(self) -> None:
        self.path = self.path.with_name(self.scorer)
        for number in range(3):
            Image.new("RGB", (4, 4), (number, 0, 0)).save(self.path.with_name(f"{number}.png"))
        self.path.write_text("".join(f"{number}.png {number - 1}\n" for number in range(3)) + "gone.png 1\n2.png {'a': 1}\n")

    def _make_arrays(self) -> None:
        self.path = self.path.with_name(self.scorer)
        pixels = np.zeros((5, 4, 4, 3), dtype=np.uint8)
        np.savez(self.path, pixels, np.arange(5)) if self.path.suffix == ".npz" else np.save(self.path, pixels)

    def _list(self) -> str:
        images = oodkit.open_images(self.path)
        seen = []
        for index in range(min(5, len(images))):
            with suppress(UnreadableImageError):
                seen.append(images.load(index).size)
        return f"{images.fingerprint()} {images.labels.tolist()} {images.image_name(0)} {seen}"

    _arrays = _list
