"""Check of an installed trainer, with a stand-in for its Python: what it says is compared with what LoRADS foretold.

Real trainers are asked by `tests/trainers/capture`, whose golden files the same probes make.
"""

import ast
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from lorads_core.cli.main import main
from lorads_core.errors import TrainerError
from lorads_core.runs.profile import Profile, startable
from lorads_core.system.command import command
from lorads_core.trainers import probes, trainer
from lorads_core.trainers.sd_scripts.scripts import FAMILIES
from lorads_core.trainers.tested import TESTED, compared
from lorads_core.workflow import trainer_check
from lorads_core.workflow.trainer_check import check_trainer, checkable, made_cases, probe_of

# Answers by the folder of an export, with the names of its images; it says what a trainer's own probe would.
PROBE = """
import json, sys
from pathlib import Path
from types import SimpleNamespace
answers = json.loads(Path("answers.json").read_text())
found = []
for number, job in enumerate(json.loads(Path(sys.argv[1]).read_text())):
    print(f"lorads: {number}", flush=True)
    folder = Path(job["arguments"][-1]).parent
    answer = answers[folder.name]
    found.append({**answer, "images": {str(folder / name): each for name, each in answer.get("images", {}).items()}})
if "--die" in answers:
    sys.exit("ImportError: no torch")
Path(sys.argv[2]).write_text(json.dumps(found))
"""


def answer_of(case, folder):
    """Return what a trainer answers that does all as foretold."""
    return {
        "ignored": [],
        "total_steps": case.total_steps,
        "images": {
            Path(path).relative_to(folder).as_posix(): {"bucket": list(each.bucket), "caption": each.caption}
            for path, each in case.images.items()
            if each.bucket
        },
        "buckets": [[*size, count] for size, count in case.buckets.items()],
    }


@pytest.fixture(scope="module")
def agreeing(tmp_path_factory):
    """Return the answers of a trainer that does all as foretold, by folder."""
    place = tmp_path_factory.mktemp("cases")
    cases = list(made_cases("sd-scripts", place))
    folders = [Path(case.arguments[-1]).parent for case in cases]
    return {folder.name: answer_of(case, folder) for case, folder in zip(cases, folders, strict=True)}


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Return a function that checks with these answers; it returns the differences by export."""
    probe = tmp_path / "standin.py"
    probe.write_text(PROBE)
    monkeypatch.setattr(trainer_check, "probe_of", lambda _: probe)
    for script in FAMILIES.values():
        (tmp_path / script.name).touch()

    def run(answers, exports=()):
        (tmp_path / "answers.json").write_text(json.dumps(answers))
        profile = Profile(name="kohya", kind="sd-scripts", folder=tmp_path, python=Path(sys.executable))
        return {each.label: each.differences for each in check_trainer(profile, exports)}

    return run


def test_a_trainer_that_does_as_foretold_has_no_differences(check, agreeing):
    found = check(agreeing)
    assert len(found) == len(agreeing) > 50
    assert not any(found.values())


def spoilt(answers, **changes):
    return {name: {**each, **changes} for name, each in answers.items()}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"error": "ValueError: no such key", "of_probe": False}, "It refuses the config: ValueError: no such key"),
        ({"error": "AttributeError: x", "of_probe": True}, "This check does not know this version: AttributeError: x"),
        ({"ignored": ["blocks", "b", "c", "d"]}, "It ignores 4 keys of the config: blocks, b, c and 1 more"),
        ({"total_steps": 7}, "It trains 7 steps, not "),
        ({"images": {}}, "It does not find 10 images: 0000.png, 0001.png, 0002.png and 7 more"),
        ({"buckets": [[64, 64, 1]]}, "It counts other samples in the buckets: {(64, 64): 1}, not "),
    ],
)
def test_each_way_of_differing_is_said(check, agreeing, changes, said):
    for differences in check(spoilt(agreeing, **changes)).values():
        assert len(differences) == 1
        assert differences[0].startswith(said)


def test_an_image_in_another_bucket_or_with_another_caption_is_named(check, agreeing):
    name, answer = next(iter(agreeing.items()))
    first = next(iter(answer["images"]))
    moved = {**answer["images"], first: {**answer["images"][first], "bucket": [64, 64]}}
    (said,) = next(iter(check({**agreeing, name: {**answer, "images": moved}}).values()))
    assert said.startswith("It puts 1 image into other buckets: 0000.png into [64, 64], not [1216, 832]")
    read = {**answer["images"], first: {**answer["images"][first], "caption": "a cat"}}
    (said,) = next(iter(check({**agreeing, name: {**answer, "images": read}}).values()))
    assert said == "It reads 1 other caption: 'a cat', not 'tomcat, 0000'"


def test_images_of_one_epoch_only_need_not_be_all(check, agreeing):
    found = check(spoilt(agreeing, images={}, partial=True))
    assert not any(found.values())


def test_a_trainer_that_cannot_be_imported_is_one_clear_error(check, agreeing):
    with pytest.raises(TrainerError, match=r"did not get through its own modules.*ImportError: no torch"):
        check({**agreeing, "--die": {}})


def test_trainers_without_a_probe_and_on_other_machines_are_refused(tmp_path):
    far = Profile(name="far", kind="sd-scripts", folder=tmp_path, python=tmp_path, prefix=("ssh", "-tt", "box"))
    with pytest.raises(TrainerError, match="another machine"):
        check_trainer(far)
    others = set(startable()) - set(checkable())
    for kind in others:
        with pytest.raises(TrainerError, match=r"cannot be checked yet; those that can: .*sd-scripts"):
            check_trainer(Profile(name="x", kind=kind, folder=tmp_path, python=tmp_path))


@pytest.mark.parametrize("file", [Path(probes.__file__), *map(probe_of, checkable())], ids=lambda it: it.parent.name)
def test_a_probe_and_what_probes_share_run_without_lorads(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {getattr(node, "module", None) or node.names[0].name for node in imports}
    assert not [each for each in names if each.startswith(("lorads", "."))]
    assert all(not getattr(node, "level", 0) for node in imports)


@pytest.mark.parametrize("name", startable())
def test_every_trainer_says_which_version_was_tested(name, tmp_path):
    assert all(str(each) in compared(name, tmp_path) for each in TESTED[name])
    assert compared(name, tmp_path).startswith("of an unknown version")
    assert trainer(name).label


def test_the_command_says_what_is_alike_once_and_ends_with_1(check, agreeing, tmp_path, capsys):
    check(spoilt(agreeing, total_steps=7))
    file = tmp_path / "lorads.toml"
    file.write_text(
        f"[trainers.kohya]\nkind = 'sd-scripts'\nfolder = '{tmp_path}'\npython = '{sys.executable}'\n", encoding="utf-8"
    )
    assert main(["trainers", "--settings", str(file)]) == 0
    assert "sd-scripts (kohya-ss)" in capsys.readouterr().out
    assert main(["trainers", "check", "--settings", str(file)]) == 1
    printed = capsys.readouterr()
    assert "0 of " in printed.out
    assert "It trains 7 steps" in printed.out + printed.err
    assert main(["trainers", "check", "kohya", "--json", "--settings", str(file)]) == 1
    assert {"trainer", "version", "exports"} == json.loads(capsys.readouterr().out).keys()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check"], "No trainer profile is named: choose kohya or other."),
        (["check", "koya"], "There is no trainer profile 'koya'; known are: kohya, other; did you mean kohya?"),
        (["check", "x"], "known are: kohya, other. Add [trainers.x] to lorads.toml"),
        (["kohya"], "trainers knows no 'kohya': did you mean lorads trainers check kohya?"),
        (["chekc"], "trainers knows no 'chekc': did you mean check?"),
        (["run"], "trainers knows no 'run': lorads trainers lists all, lorads trainers check NAME checks one."),
    ],
)
def test_words_that_name_no_trainer_are_told_what_there_is(tmp_path, capsys, words, said):
    file = tmp_path / "lorads.toml"
    file.write_text("".join(f"[trainers.{name}]\nkind = 'sd-scripts'\nfolder = '.'\n" for name in ("kohya", "other")))
    assert main(["trainers", *words, "--settings", str(file)]) == 3
    said = said.replace("lorads trainers", command("trainers"))  # as it is called where it is installed
    assert said in capsys.readouterr().err


def test_an_export_for_another_trainer_is_refused_before_anything_runs(tmp_path):
    other = SimpleNamespace(trainer="onetrainer", folder=tmp_path)
    profile = Profile(name="kohya", kind="sd-scripts", folder=tmp_path, python=Path(sys.executable))
    (tmp_path / "train_network.py").touch()
    with pytest.raises(TrainerError, match="was exported for OneTrainer: check it with a profile of that trainer"):
        check_trainer(profile, [other])


@pytest.mark.parametrize("answer", ["[", "[]", '{"half": '])
def test_results_that_are_not_whole_are_one_clear_error(tmp_path, monkeypatch, answer):
    probe = tmp_path / "half.py"
    probe.write_text(f"import sys\nprint('lorads: xx', flush=True)\nopen(sys.argv[2], 'w').write({answer!r})\n")
    monkeypatch.setattr(trainer_check, "probe_of", lambda _: probe)
    for script in FAMILIES.values():
        (tmp_path / script.name).touch()
    profile = Profile(name="kohya", kind="sd-scripts", folder=tmp_path, python=Path(sys.executable))
    with pytest.raises(TrainerError, match="did not get through its own modules"):
        check_trainer(profile)


@pytest.mark.skipif(os.name == "nt", reason="a file that is no program is another error there")
def test_a_python_that_is_no_program_is_one_clear_error(tmp_path):
    broken = tmp_path / "python"
    broken.write_bytes(b"\0")
    broken.chmod(0o755)
    for script in FAMILIES.values():
        (tmp_path / script.name).touch()
    profile = Profile(name="kohya", kind="sd-scripts", folder=tmp_path, python=broken)
    with pytest.raises(TrainerError, match=r"cannot be run: .*Make its venv again"):
        check_trainer(profile)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_the_trainers_python_ends_with_the_check(tmp_path, monkeypatch):
    """Interrupted while the probe runs, nothing of it is left."""
    probe = tmp_path / "slow.py"
    probe.write_text("import os, time\nprint('lorads: 0', flush=True)\nopen('pid', 'w').write(str(os.getpid()))\n"
                     "print('lorads: 1', flush=True)\ntime.sleep(60)\n")  # fmt: skip
    monkeypatch.setattr(trainer_check, "probe_of", lambda _: probe)
    for script in FAMILIES.values():
        (tmp_path / script.name).touch()
    profile = Profile(name="kohya", kind="sd-scripts", folder=tmp_path, python=Path(sys.executable))

    def interrupt(_step, done, _total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_trainer(profile, progress=interrupt)
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_trainer_that_is_not_there_has_an_error_and_no_version(tmp_path, capsys):
    file = tmp_path / "lorads.toml"
    file.write_text("[trainers.kohya]\nkind = 'sd-scripts'\nfolder = 'nowhere'\n")
    assert main(["trainers", "--json", "--settings", str(file)]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["version"], found["can_be_checked"]) == (None, False)
    assert "nowhere cannot be read" in found["error"]
