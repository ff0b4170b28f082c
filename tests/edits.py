"""An edit of one caption by hand, as the panel makes it, for tests that need one in the store."""

from lorads_core.model import Caption, Change, Edit
from lorads_core.store import captions


def edit_caption(connection, dataset, image, text, person=""):
    """Save a caption that a person wrote for an image of a dataset."""
    before = captions.captions_of(connection, dataset, [image]).get(image)
    after = Caption(text, "custom", edited=True, fixed=True)
    captions.save_edit(connection, dataset, Edit("Write a caption", (Change(image, before, after),)), person)
