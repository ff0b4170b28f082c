"""``golden/onetrainer/accepted.json``: the keys that OneTrainer's own ``TrainConfig`` holds as we wrote them.

``python -m tests.trainers.capture.onetrainer FOLDER``: each config of `test_onetrainer_golden` is read by OneTrainer's
``TrainConfig.default_values().from_dict``; a key that it does not hold unchanged afterwards stops the script.
"""

import dataclasses
import enum
import json
import sys
from pathlib import Path

from lorads_core.trainers.onetrainer.names import OPTIMIZERS
from tests.trainers.test_onetrainer_golden import GOLDEN, combinations, config_of, written


def capture(folder):
    """Return the keys, dotted, with their types and the words of their enumerations."""
    sys.path.insert(0, str(folder))
    from modules.util.config.TrainConfig import TrainConfig  # noqa: PLC0415 - OneTrainer's own

    found = {}
    for config in configs():
        keys = written(config)
        held = TrainConfig.default_values().from_dict(keys)
        for name, value, own in pairs(keys, held):
            entry = found.setdefault(name, {"types": set(), "words": words_of(own)})
            entry["types"].add(type(value).__name__)
            if plain(own) != value:
                sys.exit(f"{config}: OneTrainer holds {name} as {own!r}, not {value!r}")
    return {name: tidy(entry) for name, entry in sorted(found.items())}


def configs():
    yield from (config_of(*combination) for combination in combinations())
    plain_one = config_of("sdxl", "lora", "plain")
    for optimizer in OPTIMIZERS:
        yield dataclasses.replace(plain_one, optimizer=optimizer)


def pairs(keys, held, prefix=""):
    """Yield name, our value and OneTrainer's of each key; tables and lists of tables are gone through."""
    for key, value in keys.items():
        if key == "__version":
            continue
        if not hasattr(held, key):
            sys.exit(f"OneTrainer has no key {prefix}{key}")
        own = getattr(held, key)
        if isinstance(value, dict):
            yield from pairs(value, own, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield f"{prefix}{key}", [], []
            for each, one in zip(value, own or (), strict=True):
                yield from pairs(each, one, f"{prefix}{key}[].")
        else:
            yield f"{prefix}{key}", value, own


def plain(value):
    return str(value) if isinstance(value, enum.Enum) else value


def words_of(value):
    return [str(each) for each in type(value)] if isinstance(value, enum.Enum) else None


def tidy(entry):
    words = {"words": entry["words"]} if entry["words"] else {}
    return {"types": sorted(entry["types"])} | words


if __name__ == "__main__":
    rows = capture(Path(sys.argv[1]).resolve()).items()
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}" for name, entry in rows)
    (GOLDEN / "accepted.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8", newline="\n")
