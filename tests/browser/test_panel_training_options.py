"""The form of training options in the panel: mistyped, corrected, exported, stored with its dataset."""

import json

import pytest

from lorads_core.export.plan import ExportOptions
from lorads_core.trainers.defaults import make_config
from lorads_core.workflow import dataset as build

from ..checkpoints.test_base_model import GOLDEN
from ..checkpoints.test_diffusers_names import saved
from .test_panel_captions import until

pytestmark = pytest.mark.slow


@pytest.fixture
def form(opened, make_world):
    """Return the panel of a small dataset that was exported with 2 epochs."""
    world = make_world(10)
    options = world.folder / "trainer" / "library" / "train_util.py"
    options.write_text('parser.add_argument("--loss_type")', encoding="utf-8")
    config = make_config({"epochs": 2, "repeats": 2, "batch_size": 1})
    build.export(world.store, world.dataset, config, ExportOptions(), world.folder / "exports", "earlier")
    panel = opened(world)
    panel.page.locator(".options summary").first.wait_for()
    return panel


def unfold(panel, group):
    panel.page.locator(".options summary", has_text=group).click()


def number_of_steps(panel):
    return int(panel.page.locator(".summary dt", has_text="Total steps").locator("+ dd").inner_text().replace(",", ""))


def test_options_are_checked_counted_and_exported(form):
    page = form.page
    steps = number_of_steps(form)
    unfold(form, "Steps")
    epochs = page.get_by_label("Number of epochs", exact=True)
    assert epochs.input_value() == "2"
    epochs.fill("2o")
    page.get_by_text("The number of epochs is '2o': give a whole number from 1 to 100000.").wait_for()
    assert epochs.get_attribute("aria-invalid") == "true"
    assert page.get_by_role("button", name="Export", exact=True).is_disabled()
    epochs.fill("6")
    until(lambda: number_of_steps(form) == 3 * steps)
    unfold(form, "Network")
    dim = page.get_by_label("Network dim")
    assert (dim.input_value(), dim.get_attribute("placeholder")) == ("", "16")
    page.locator("#option-network").select_option("loha")
    page.get_by_label("Convolution dim").wait_for()
    until(lambda: dim.get_attribute("placeholder") == "8")
    export = page.get_by_role("button", name="Export", exact=True)
    until(export.is_enabled)
    export.dblclick()
    page.get_by_text("images written to").wait_for()
    assert len([url for url in form.posted if url.endswith("/export")]) == 1
    page.get_by_text("not exported yet").wait_for(state="detached")
    page.reload()
    unfold(form, "Steps")
    until(lambda: page.get_by_label("Number of epochs", exact=True).input_value() == "6")


def add_model(form, name, architecture):
    """Put the header of a model into the folder that the form offers files of."""
    shapes = GOLDEN[architecture]["tensors"]
    file = form.world.folder / "models" / "diffusion_models" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    return saved(file, shapes)


def test_a_checkpoint_chooses_the_base_model_and_a_contradiction_is_shown(form):
    add_model(form, "z_image_bf16.safetensors", "zimage")
    anima = add_model(form, "anima-base-v1.0.safetensors", "anima")
    page = form.page
    page.reload()
    checkpoint = page.locator("#option-checkpoint")
    base = page.locator("#option-base_model")
    export = page.get_by_role("button", name="Export", exact=True)
    checkpoint.fill("z_image_bf")
    page.locator("#option-checkpoint-fault", has_text="There is no file 'z_image_bf' in ComfyUI's folder").wait_for()
    checkpoint.fill("z_image_bf16.safetensors")
    until(lambda: base.input_value() == "zimage")
    page.locator(".recognised .mark", has_text="guess").wait_for()
    page.locator(".recognised", has_text="Z-Image, a guess: Z-Image De-Turbo, Z-Image Turbo").wait_for()
    checkpoint.fill("anima-base-v1.0.safetensors")
    until(lambda: base.input_value() == "anima")
    page.get_by_text("Anima, as the file says.").wait_for()
    until(export.is_enabled)
    base.select_option("flux")
    page.locator("#option-checkpoint-fault", has_text="anima-base-v1.0.safetensors is the denoiser of Anima").wait_for()
    assert str(anima.parent) not in page.content()
    until(export.is_disabled)
    base.select_option("anima")
    until(export.is_enabled)
    export.click()
    page.get_by_text("images written to").wait_for()
    page.get_by_text("not exported yet").wait_for(state="detached")
    page.reload()
    until(lambda: checkpoint.input_value() == "anima-base-v1.0.safetensors" and base.input_value() == "anima")
    (manifest,) = (form.world.folder / "exports").glob("first*/manifest.json")
    exported = json.loads(manifest.read_text(encoding="utf-8"))
    assert exported["config"]["checkpoint"] == str(anima)


def test_changes_stay_with_their_dataset(form):
    form.world.add_dataset("second")
    page = form.page
    datasets = page.get_by_label("Dataset")
    datasets.locator("option", has_text="second").wait_for(state="attached")
    unfold(form, "Steps")
    page.get_by_label("Number of epochs", exact=True).fill("9")
    first, second = (each.get_attribute("value") for each in datasets.locator("option").all())
    if datasets.input_value() == second:
        first, second = second, first
    for each in (second, first, second):  # the one before is still loading
        datasets.select_option(each)
    page.locator(".options summary").first.wait_for()
    unfold(form, "Steps")
    until(lambda: page.get_by_label("Number of epochs", exact=True).input_value() == "")
    datasets.select_option(first)
    page.locator(".options summary").first.wait_for()
    unfold(form, "Steps")
    until(lambda: page.get_by_label("Number of epochs", exact=True).input_value() == "9")
