"""``golden/sd_scripts/options.json``: the options that sd-scripts' own argument parsers have, of those that we write.

``python -m tests.trainers.capture.sd_scripts FOLDER``. The script stops at a key of a training config that the parser
does not have; sd-scripts itself would keep such a key and never look at it (``read_config_from_file``).
"""

import importlib
import json
import sys
from pathlib import Path

from lorads_core.trainers.sd_scripts.scripts import script
from tests.trainers.test_sd_scripts_options import OPTIONS, configs, written


def capture(folder):
    """Return the options that we write, by script: type and choices of each."""
    sys.path.insert(0, str(folder))
    found = {}
    for config in configs():
        name = script(config).name
        actions = {each.dest: each for each in parser(name)._actions}
        options = found.setdefault(name, {})
        for key in written(config):
            if key not in actions:
                sys.exit(f"{name} has no option {key}, which is written for {config}")
            options[key] = facts(actions[key])
    return {name: dict(sorted(options.items())) for name, options in sorted(found.items())}


def parser(name):
    return importlib.import_module(name.removesuffix(".py")).setup_parser()


def facts(action):
    kind = "bool" if action.nargs == 0 else getattr(action.type, "__name__", None) or "str"
    return {"type": kind, "several": action.nargs in ("*", "+")} | (
        {"choices": list(action.choices)} if action.choices else {}
    )


if __name__ == "__main__":
    scripts = capture(Path(sys.argv[1]).resolve())
    lines = []
    for name, options in scripts.items():
        rows = ",\n".join(f"    {json.dumps(key)}: {json.dumps(each)}" for key, each in options.items())
        lines.append(f"  {json.dumps(name)}: {{\n{rows}\n  }}")
    OPTIONS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")
