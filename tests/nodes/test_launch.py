"""The node that trains, with a stand-in for the trainer."""

import hashlib
import json
import struct
import sys
import threading
import time
from pathlib import Path

import pytest

from .. import standin_trainer
from ..standin_trainer import write_model
from .pack import loaded
from .test_chain import base, build, call  # noqa: F401 - base is a fixture

pytestmark = pytest.mark.slow


@pytest.fixture
def make_pack(base, store_settings, tmp_path):  # noqa: F811
    """Return a function that loads the pack with a trainer that does what ``deed``, or the environment, says."""
    folder = standin_trainer.install(tmp_path / "trainer")
    checkpoint = base / "models" / "checkpoints" / "a model of checkpoints.safetensors"
    checkpoint.parent.mkdir(parents=True)
    write_model(checkpoint)
    opened = []

    def make(deed="good", allowed="true", **environment):
        values = {**({"STANDIN": deed} if deed else {}), **environment}
        lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())
        store_settings.write_text(
            f"{store_settings.read_text()}\n[trainers.local]\nkind = 'sd-scripts'\nfolder = '{folder}'\n"
            f"python = '{sys.executable}'\nstop_seconds = 1\nfrom_comfyui = {allowed}\n"
            f"[trainers.local.environment]\n{lines}\n"
        )
        opened.append(loaded(base, store_settings))
        return opened[-1].__enter__()

    yield make
    for each in opened:
        each.__exit__(None, None, None)


def exported(pack, epochs=2):
    index, *_ = call(pack, "LoradsIndexImages", folder="mine").args
    dataset, _ = call(pack, "LoradsQueryImages", name="towers", minimum_side=0, maximum_images=3, index=index).args
    captioned = call(pack, "LoradsCaptionBuilder", dataset=dataset, trigger="oldlandmark").args[0]
    base_model = "a model of checkpoints.safetensors"
    config = call(pack, "LoradsTrainingConfig", epochs=epochs, repeats=1, checkpoint=base_model).args[0]
    return call(pack, "LoradsExportDataset", dataset=captioned, config=config).args[0]


def test_a_training_is_waited_for_and_its_lora_is_where_comfyui_loads_it(make_pack, base):  # noqa: F811
    pack = make_pack()
    export = exported(pack)
    made = call(pack, "LoradsLaunchTrainer", export=export)
    run, lora, loss, samples = made.args
    assert (run.state, run.name) == ("completed", "towers")
    assert lora == "lorads/towers.safetensors"
    assert (base / "models" / "loras" / lora).is_file()
    assert loss.shape[0] == 1
    assert [type(each).__name__ for each in samples] == ["ExecutionBlocker"]
    assert "towers: completed, step 20 of 20" in made.ui.value
    assert pack.interruption.freed == ["models", "cache"]
    assert pack.shown[-1] == (20, 20)
    assert any("loss" in text for node, text in pack.said if node == "7")
    again = call(pack, "LoradsLaunchTrainer", export=export)
    assert again.args[0].id == run.id
    assert again.args[1] == lora
    assert pack.interruption.freed == ["models", "cache"]


def test_in_the_background_the_node_comes_back_at_once_and_later_finds_the_lora(make_pack):
    pack = make_pack(STANDIN_PAUSE="0.1")
    node = pack.nodes["LoradsLaunchTrainer"]
    export = exported(pack)
    run, lora, _, _ = call(pack, "LoradsLaunchTrainer", export=export, mode="background").args
    assert (run.is_over, lora) == (False, "")
    marks = node.fingerprint_inputs()
    time.sleep(0.1)
    assert node.fingerprint_inputs() != marks
    later, lora, _, _ = call(pack, "LoradsLaunchTrainer", export=export).args
    assert (later.id, later.state, lora) == (run.id, "completed", "lorads/towers.safetensors")
    marks = node.fingerprint_inputs()
    assert node.fingerprint_inputs() == marks
    (later.output / later.loras[-1]).unlink()
    assert node.fingerprint_inputs() != marks


def test_a_failed_training_is_resumed_from_its_state(make_pack, monkeypatch):
    pack = make_pack("")
    export = exported(pack, epochs=6)
    total = json.loads((export.folder / "manifest.json").read_text())["training"]["total_steps"]
    monkeypatch.setenv("STANDIN_STEPS", str(total))
    monkeypatch.setenv("STANDIN", "last")
    fresh = call(pack, "LoradsLaunchTrainer", export=export, mode="background", resume=True)
    assert "was stopped before its end" in fresh.ui.value
    assert "started from the beginning" in fresh.ui.value
    first = pack.host.core.training.wait(pack.host.store(), fresh.args[0])
    assert (first.state, first.step) == ("failed", total)
    monkeypatch.setenv("STANDIN", "good")
    resumed = call(pack, "LoradsLaunchTrainer", export=export, resume=True)
    run = resumed.args[0]
    assert (run.id != first.id, run.output, run.state, run.step) == (True, first.output, "completed", total)
    assert len(run.loras) == 6
    assert "from the beginning" not in resumed.ui.value


def test_configs_that_are_not_used_are_named_while_it_trains_and_after(make_pack):
    pack = make_pack(STANDIN_PAUSE="0.1")
    export = exported(pack)
    file, manifest = export.folder / "training_config.toml", export.folder / "manifest.json"
    file.write_text(file.read_text() + "# another's\n")
    values = json.loads(manifest.read_text())
    values["texts"][file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(values))
    begun = call(pack, "LoradsLaunchTrainer", export=export, mode="background")
    assert "training_config.toml of the export" in begun.ui.value
    waited = call(pack, "LoradsLaunchTrainer", export=export)
    assert waited.args[0].state == "completed"
    assert "training_config.toml of the export" in waited.ui.value


def test_an_interruption_stops_the_training(make_pack):
    pack = make_pack(STANDIN_PAUSE="0.05", STANDIN_STEPS="4000")
    export = exported(pack)

    def interrupt():
        while not any("step 2 " in text or "step 3" in text for _, text in pack.said):
            time.sleep(0.05)
        pack.interruption.interrupted = True

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(pack.interruption.InterruptProcessingException):
        call(pack, "LoradsLaunchTrainer", export=export)
    pack.interruption.interrupted = False
    with pack.host.store().connection() as connection:
        rows = connection.execute("SELECT state FROM lorads.runs").fetchall()
    assert rows == [("cancelled",)]


def test_a_failure_says_why_with_the_end_of_the_log(make_pack):
    pack = make_pack("oom")
    with pytest.raises(pack.errors.TrainerError, match=r"(?s)ran out of memory.*CUDA out of memory. Tried"):
        call(pack, "LoradsLaunchTrainer", export=exported(pack))


def test_nothing_is_trained_where_the_server_does_not_allow_it(make_pack):
    pack = make_pack(allowed="false")
    with pytest.raises(pack.errors.TrainerError, match="from_comfyui = true"):
        call(pack, "LoradsLaunchTrainer", export=exported(pack))
    assert pack.interruption.freed == []


def test_without_a_trainer_the_node_says_how_to_add_one(base, store_settings):  # noqa: F811
    with loaded(base, store_settings) as pack:
        export = build(pack)
        with pytest.raises(pack.errors.SettingsError, match=r"Add \[trainers.local\]"):
            call(pack, "LoradsLaunchTrainer", export=export.args[0])


def test_a_checkpoint_that_contradicts_the_base_model_is_refused_before_the_graph_runs(make_pack):
    pack = make_pack()
    name = "a model of checkpoints.safetensors"  # as the host lists it
    path = Path(pack.host.model_path(("checkpoints",), name))
    header = json.dumps({"a.lora_down.weight": {"dtype": "F16", "shape": [0], "data_offsets": [0, 0]}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    check = pack.nodes["LoradsTrainingConfig"].validate_inputs
    assert "is a LoRA, not a checkpoint" in check(preset="(custom)", base_model="sdxl", checkpoint=name)
    assert check(preset="(custom)", base_model="sdxl", checkpoint="(choose later)") is True
    assert check(preset="(custom)", base_model=None, checkpoint=name) is True
    assert "There is no base model 'x'" in check(preset="", base_model="x", checkpoint=name)
    write_model(path)
    assert check(preset="(custom)", base_model="sdxl", checkpoint=name) is True
