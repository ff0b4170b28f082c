"""The command on installed trainers: which there are and of which version, and whether they read what LoRADS writes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ...errors import SettingsError
from ...problems import counted, did_you_mean
from ...runs.profile import read_profile
from ...runs.read_export import read_export
from ...settings import load_settings
from ...system.command import command
from ...trainers import trainer
from ...trainers.tested import compared
from ...workflow.trainer_check import check_trainer, checkable
from ...workflow.training import exported, profile_of
from ..arguments.runs import CHECK
from .exports import root_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from ...runs.profile import Profile
    from ...settings import Settings
    from ...workflow.trainer_check import Verdict
    from ..console import Screen

_EXAMPLES = 3


def _trainers(options: argparse.Namespace, screen: Screen) -> int:
    settings = load_settings(options.settings)
    if options.action == CHECK:
        return _check(options, settings, screen)
    if options.action:
        raise SettingsError(_no_action(options.action, settings))
    if options.exports:
        raise SettingsError(f"--export belongs to {command('trainers', CHECK)}.")
    return _list(options, settings, screen)


def _no_action(word: str, settings: Settings) -> str:
    """Return that a word is none that `lorads trainers` takes, and what was probably meant."""
    usage = f"{command('trainers')} lists all, {command('trainers', CHECK, 'NAME')} checks one."
    meant = did_you_mean(word, [CHECK], usage)
    if word in (each.name for each in settings.trainers):
        meant = f"did you mean {command('trainers', CHECK, word)}?"
    return f"{command('trainers')} knows no {word!r}: {meant}"


def _list(options: argparse.Namespace, settings: Settings, screen: Screen) -> int:
    """List the trainers of lorads.toml with the version found and the version tested."""
    profiles = [read_profile(each) for each in settings.trainers]
    facts = [_facts(each) for each in profiles]
    if options.json:
        screen.results_only()
        screen.json(facts)
        return 0
    for each in facts:
        what = f"{trainer(str(each['kind'])).label} in {each['folder']}"
        screen.step(str(each["name"]), f"{what}: {each['error'] or each['version']}")
    if not facts:
        screen.line(f"lorads.toml names no trainer: {command('init')} finds those that are installed.")
    return 0


def _facts(profile: Profile) -> dict[str, object]:
    """Return a trainer's facts; one that is not as its profile says has the reason as ``error`` and no version."""
    version: str | None = None
    fault: str | None = None
    try:
        profile.check()
        version = compared(profile.kind, profile.home) if profile.home else "on another machine"
    except SettingsError as error:
        fault = str(error)
    return {
        "name": profile.name,
        "kind": profile.kind,
        "folder": str(profile.folder),
        "version": version,
        "error": fault,
        "can_be_checked": fault is None and profile.kind in checkable() and not profile.is_remote,
    }


def _check(options: argparse.Namespace, settings: Settings, screen: Screen) -> int:
    """Check a trainer; the exit code is 1 where it reads something otherwise."""
    profile = profile_of(settings, options.name)
    root = root_of(options, settings)
    exports = [read_export(exported(root, each)) for each in options.exports]
    with screen.progress() as progress:
        verdicts = check_trainer(profile, exports, progress)
    version = compared(profile.kind, profile.home) if profile.home else ""
    failed = [each for each in verdicts if each.differences]
    if options.json:
        screen.results_only()
        screen.json(
            {
                "trainer": profile.name,
                "version": version,
                "exports": [{"export": each.label, "differences": each.differences} for each in verdicts],
            }
        )
    else:
        _show(profile.name, version, verdicts, screen)
    return 1 if failed else 0


def _show(name: str, version: str, verdicts: Sequence[Verdict], screen: Screen) -> None:
    """Say what differs, the same of several exports once."""
    good = sum(not each.differences for each in verdicts)
    screen.step(name, version)
    screen.step("Checked", f"{good} of {counted(len(verdicts), 'export is', 'exports are')} read as LoRADS means them")
    by_difference: defaultdict[str, list[str]] = defaultdict(list)
    for each in verdicts:
        for difference in each.differences:
            by_difference[difference].append(each.label)
    for difference, labels in by_difference.items():
        few = "; ".join(labels[:_EXAMPLES])
        more = f" and {len(labels) - _EXAMPLES} more" if len(labels) > _EXAMPLES else ""
        screen.finding("error", f"{difference}. ({few}{more})")


COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], int]] = {"trainers": _trainers}
