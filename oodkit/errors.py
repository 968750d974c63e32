"""Every error that oodkit raises on purpose. The message says what was got, what was expected and what to do next.

OodkitError                  exit 1
├── UsageError               exit 2   an option, argument or setting that can't be used
├── InputError               exit 3   input that can't be used
│   ├── ModelNotFoundError            no model of that name, or its weights are out of reach
│   ├── CheckpointError               weights that can't be read, or that don't fit the architecture
│   ├── UnsupportedModelError         a network whose logits no linear head makes
│   ├── UnreadableImageError          one image that can't be decoded; extraction skips it and counts it
│   ├── ImageSetError                 an image set that can't be opened or doesn't fit the model
│   └── OutputsError                  stored outputs, heads or scorers that are missing or damaged
├── TrainingError            exit 1   a training whose loss is no longer finite, or that the memory does not suffice for
├── GeneratorError           exit 1   a generator that fails, or that gives what are no images of the size and number asked for
├── NotFittedError           exit 1   a scorer asked for scores before it was fitted
└── NotApplicableError       exit 1   a scorer that can't serve this model or these sets; in a table, a row with the reason
"""


class OodkitError(Exception):
    exit_code = 1


class UsageError(OodkitError, ValueError):
    exit_code = 2


class InputError(OodkitError):
    exit_code = 3


class ModelNotFoundError(InputError):
    pass


class CheckpointError(InputError):
    pass


class UnsupportedModelError(InputError):
    pass


class ImageSetError(InputError):
    pass


class OutputsError(InputError):
    pass


class TrainingError(OodkitError):
    pass


class GeneratorError(OodkitError):
    pass


class NotFittedError(OodkitError):
    pass


class NotApplicableError(OodkitError):
    pass


class UnreadableImageError(InputError):
    pass
