"""Comparing a config that we write with what a trainer's own code took of it, as its capture script recorded it."""

import itertools

from lorads_core.base_models import BASE_MODELS
from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, trainer

# An export to render configs for: a subject in two sizes, and regularization images.
SUBSETS = (
    Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (1024, 1024)), trigger="tomcat"),
    Subset("1_regularization", 1, is_regularization=True, sizes=((1024, 1024),)),
)


def entry(words=None):
    """Return an empty record of a key; ``words`` are all that the trainer takes for it, where they are closed."""
    return {"types": set(), "words": words}


def tidy(found):
    """Return the records of all keys in their order, without what is empty."""
    return {
        name: {"types": sorted(each["types"])} | ({"words": each["words"]} if each["words"] else {})
        for name, each in sorted(found.items())
    }


def faults(keys, accepted, prefix="", aside=""):
    """Yield each key of a config that the trainer would pass over, or read as something else.

    A table is gone through where ``accepted`` knows its keys; elsewhere it is a value, passed on as it is. A key called
    ``aside`` is none of its options.
    """
    options = {key: value for key, value in keys.items() if key != aside}
    for key, value in options.items():
        name = prefix + key
        if isinstance(value, dict) and name not in accepted:
            yield from faults(value, accepted, f"{name}.", aside)
        elif (known := accepted.get(name)) is None or type(value).__name__ not in known["types"]:
            yield name
        elif "words" in known and value not in known["words"]:
            yield f"{name} = {value}"
        elif isinstance(value, list):
            for table in (each for each in value if isinstance(each, dict)):
                yield from faults(table, accepted, f"{name}[].", aside)


def trained(name, subsets, variants, usual, bases=None):
    """Yield a config for each base model and network that the trainer has, in each variant that it does not refuse.

    ``usual`` returns the checkpoint and model files for a base model. ``bases`` are names, all by default.
    """
    chosen = trainer(name)
    rows = [base for base in BASE_MODELS if bases is None or base.name in bases]
    for base, network, changes in itertools.product(rows, chosen.networks, variants):
        if base.family.name in chosen.families:
            config = TrainingConfig(base_model=base.name, network=network, **{**usual(base), **changes})
            if not any(problem.severity == "error" for problem in chosen.problems(config, subsets)):
                yield config
