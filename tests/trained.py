"""Configs that a trainer trains, for tests of all trainers: few train them all, and none trains none."""

import dataclasses

from lorads_core.base_models import BASE_MODELS, base_model
from lorads_core.trainers import trainer


def trained_by(name, config):
    """Return a config as it is where the trainer trains its base model, else with the first one that it does train."""
    families = trainer(name).families
    if base_model(config.base_model).family.name in families:
        return config
    first = next(base.name for base in BASE_MODELS if base.family.name in families)
    return dataclasses.replace(config, base_model=first)
