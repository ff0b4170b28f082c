"""A foreign library, written by hand: records of files, and vectors of its own that a test changes as it likes."""

from __future__ import annotations

import numpy as np

from lorads_core.library import HostSpace, HostVectors
from lorads_core.model import ImageRecord


class Host:
    """As much of a `Library` as embedding asks for; its records know nothing of the files themselves."""

    name = "host"

    def __init__(self, paths, batch=2):
        self.paths = dict(enumerate(paths, start=1))
        self.held = {}  # space: {image id: (version, vector)}
        self.batch = batch
        self.asked = []  # what was copied, as (space, ids)

    def spaces(self):
        return [
            HostSpace(space, len(next(iter(held.values()))[1]), len(held), "the host's own")
            for space, held in self.held.items()
            if held
        ]

    def vector_versions(self, space):
        return {image_id: version for image_id, (version, _) in self.held[space].items()}

    def vectors(self, space, ids):
        self.asked.append((space, sorted(ids)))
        held = self.held[space]
        there = [image_id for image_id in sorted(ids) if image_id in held]
        for at in range(0, len(there), self.batch):
            part = there[at : at + self.batch]
            yield HostVectors(
                np.array(part, np.int64),
                np.array([held[image_id][0] for image_id in part], np.int64),
                np.array([held[image_id][1] for image_id in part], np.float32),
            )

    def ids(self, wanted):
        chosen = [image_id for image_id in self.paths if not wanted.ids or image_id in wanted.ids]
        return list(reversed(chosen))[: wanted.maximum_images]

    def find(self, wanted):
        chosen = [image_id for image_id in self.paths if not wanted.ids or image_id in wanted.ids]
        return [
            ImageRecord(self.name, image_id, str(self.paths[image_id]), 0, 0, 0, 0, "", "")
            for image_id in chosen[: wanted.maximum_images]
        ]
