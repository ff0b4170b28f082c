"""The main config file of each trainer, and the table of it that options stand in."""

import json
import sys

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAMES = {
    "sd-scripts": "training_config.toml",
    "musubi-tuner": "training_config.toml",
    "onetrainer": "onetrainer_config.json",
    "ai-toolkit": "ai_toolkit_config.json",
    "simpletuner": "config.json",
    "comfyui": "train_lora_node.json",
}


def main_options(name, files):
    """Return the options in a trainer's main file, by the files that it gets."""
    text = files[NAMES[name]]
    found = tomllib.loads(text) if NAMES[name].endswith(".toml") else json.loads(text)
    match name:
        case "ai-toolkit":
            return found["config"]["process"][0]
        case "comfyui":
            return found["TrainLoraNode"]
        case _:
            return found
