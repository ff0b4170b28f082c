"""The errors of LoRADS: few kinds, each a thing that a user can act on.

    LoradsError
    |-- SettingsError   lorads.toml, a profile, a value given by hand
    |-- StoreError      our own PostgreSQL: starting it, reaching it, its rights
    |-- LibraryError    where images are known: a folder, a host database
    |-- ImageError      one image file
    |-- CaptionError    captions, tags, triggers
    |-- ExportError     writing a dataset
    |-- TrainerError    a trainer's config or its run

A message is one sentence or two: what is wrong, which one, and what to do next. It never holds a password.
Foreign errors are translated once, at the border, with ``from``. ValueError and TypeError are for our own mistakes.
"""


class LoradsError(Exception):
    """An error that the user can fix; ``exit_code`` is what the command line leaves with."""

    exit_code = 1


class SettingsError(LoradsError):
    """A wrong value in ``lorads.toml``, in a profile or in an argument."""

    exit_code = 3


class StoreError(LoradsError):
    """Our own PostgreSQL cannot be started, reached or used."""

    exit_code = 4


class LibraryError(LoradsError):
    """An image library (folder, index, host database) is missing or not what it should be."""

    exit_code = 5


class ImageError(LoradsError):
    """One image file cannot be read, or must not be."""

    exit_code = 6


class CaptionError(LoradsError):
    """A caption, tag or trigger that cannot be used."""

    exit_code = 7


class ExportError(LoradsError):
    """A dataset cannot be written."""

    exit_code = 8


class TrainerError(LoradsError):
    """A trainer's config that the trainer would refuse, or a failed run."""

    exit_code = 9
