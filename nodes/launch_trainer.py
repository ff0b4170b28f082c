"""Launch Trainer: an export trained by the program it was written for, watched from the node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from comfy_api.latest import io, ui

from ..lorads_core.errors import TrainerError
from ..lorads_core.system.command import command
from . import core, host
from .sockets import CATEGORY, ExportSocket, RunSocket

if TYPE_CHECKING:
    from pathlib import Path

    from ..lorads_core.model import Export, Run

    Offered = Literal["copy", "copy without local paths", "link"]

THE_ONLY_ONE = "(the only one)"
_LOG_LINES = 12


class LaunchTrainer(io.ComfyNode):
    """Starts the training of an export, or finds the one that goes on or is done; never the same twice."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="LoradsLaunchTrainer",
            display_name="Launch Trainer",
            category=CATEGORY,
            description="Trains the exported dataset, shows its progress, and puts the LoRA where"
            " ComfyUI loads it. A training in progress or a finished one is not started"
            " again.",
            search_aliases=[
                "lora",
                "train",
                "run",
                "kohya",
                "sd-scripts",
                "onetrainer",
                "simpletuner",
                "ai-toolkit",
                "musubi",
            ],
            inputs=[
                ExportSocket.Input("export", tooltip="From Export Dataset."),
                io.Combo.Input(
                    "profile",
                    options=[THE_ONLY_ONE, *host.trainer_names()],
                    default=THE_ONLY_ONE,
                    tooltip="The installed trainer, a [trainers.NAME] with from_comfyui = true in lorads.toml.",
                ),
                io.Combo.Input(
                    "mode",
                    options=["wait", "background"],
                    default="wait",
                    tooltip="wait: wait for the LoRA; ComfyUI's cancel stops the training. background:"
                    " continue at once; queue again to see the progress.",
                ),
                io.String.Input(
                    "name",
                    default="",
                    tooltip="The LoRA's name among ComfyUI's LoRAs, in the folder lorads; empty for the export's.",
                ),
                io.Combo.Input(
                    "offer",
                    options=["copy", "copy without local paths", "link"],
                    default="copy",
                    tooltip="copy: with trigger and dataset version in its metadata. link: the trainer's own file.",
                    advanced=True,
                ),
                io.Boolean.Input(
                    "resume",
                    default=False,
                    optional=True,
                    tooltip="Continue a stopped or failed training from its last saved state; without one it starts"
                    " from the beginning, and says so.",
                    advanced=True,
                ),
            ],
            outputs=[
                RunSocket.Output("run", "run", tooltip="For Load Trained LoRA and LoRA Test Grid."),
                io.String.Output("lora_name", "lora name", tooltip="The name in LoRA loaders; empty while it trains."),
                io.Image.Output("loss", "loss plot", tooltip="Loss and learning rate over the steps."),
                io.Image.Output(
                    "samples", "samples", is_output_list=True, tooltip="The newest sample images of the trainer."
                ),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, **_inputs: object) -> list[str]:
        """Run again while a training goes on, and when its LoRA is gone."""
        return host.run_marks()

    @classmethod
    def execute(
        cls, export: Export, profile: str, mode: str, name: str, offer: Offered, *, resume: bool = False
    ) -> io.NodeOutput:
        """Train the export, or look how its training stands."""
        run, note = _started(export.folder, profile, resume=resume)
        host.keep_run(run)
        if mode == "wait":
            run = host.watched(run, str(cls.hidden.unique_id))
        if run.is_over and run.state != "completed":
            raise TrainerError(_why(run))
        lora, message = _offered(run, name, offer) if run.state == "completed" else ("", "")
        plot = host.image(core.plots.loss_image(run, core.training.history(run.folder)))
        samples = host.image_list(core.training.samples(run))
        return io.NodeOutput(run, lora, plot, samples, ui=ui.PreviewText(_text(run, lora, message, note)))


def _started(folder: Path, profile: str, *, resume: bool) -> tuple[Run, str]:
    """Return the run of an export, and what to know of how it goes on; launching one needs the server's permission."""
    known = core.training.known_run(host.store(), folder)
    if known:
        return known, "" if known.is_over else known.message
    installed = core.training.profile_of(host.settings(), "" if profile == THE_ONLY_ONE else profile)
    if not installed.from_comfyui:
        raise TrainerError(
            f"Training from ComfyUI is off: the server's owner allows it by from_comfyui = true in"
            f" [trainers.{installed.name}] of lorads.toml. Without it:"
            f" {command('train', folder.name, '--out', str(folder.parent))}"
        )
    host.free_memory()
    obstacle = core.training.why_not_resumed(host.store(), folder) if resume else ""
    run = core.training.train(host.store(), installed, folder, resume=resume and not obstacle)
    notes = [f"{obstacle}: it was started from the beginning." if obstacle else "", run.message]
    return run, "\n".join(filter(None, notes))


def _offered(run: Run, name: str, offer: Offered) -> tuple[str, str]:
    """Put the LoRA among ComfyUI's; return its name there, and what differs from the request."""
    place = host.lora_folder()
    offered = core.training.offer_lora(
        run,
        place / "lorads",
        name=name,
        link=offer == "link",
        without_paths=offer == "copy without local paths",
        handling="partly",
    )
    loads = offered.loading.text if offered.loading else ""
    message = "\n".join(filter(None, (offered.message, loads)))
    return offered.file.relative_to(place).as_posix(), message


def _why(run: Run) -> str:
    said = "\n".join(core.training.log_tail(run, _LOG_LINES))
    return f"{run.sentence}\n{said}".strip()


def _text(run: Run, lora: str, message: str, note: str) -> str:
    lines = [host.training_text(run)]
    if lora:
        lines += [f"LoRA: {lora}", *filter(None, [message])]
    lines += [f"Saved: {len(run.loras)}"] if run.loras else []
    lines += [f"Graphics memory: {run.graphics_memory} at most"] if run.graphics_memory else []
    lines += [note] if note else []
    return "\n".join(lines)
