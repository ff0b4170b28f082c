"""A program that behaves like sd-scripts where it matters: progress lines, checkpoints, ends of every kind.

STANDIN names what it does: "good" or one of the misdeeds below; STANDIN_PAUSE is how long a step takes. It is
musubi-tuner too, with its scripts that cache: STANDIN_CACHING names what they do, STANDIN_IMAGE is how long an image
takes. And it is ai-toolkit, which only ever does well.
"""

import argparse
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

try:
    import tomllib
except ImportError:
    import tomli as tomllib

WIDTH = 320  # of SD 1.5's first level
LAYER = "lora_unet_mid_block_attentions_0_proj_in"
# By the script: a layer as the trainer names it, and how wide it is in the tiny models that ComfyUI has in tests.
LAYERS = {
    "zimage_train_network": {"name": "lora_unet_layers_0_attention_to_q", "width": 3840},
    "krea2_train_network": {"name": "lora_unet_blocks_0_attn_wo", "width": 256},
    "anima_train_network": {"name": "lora_unet_blocks_0_self_attn_q_proj", "width": 2048},
    "run": {"name": "diffusion_model.double_blocks.0.img_attn.proj", "width": 256},  # ai-toolkit's, of FLUX.2 klein
}
CACHES = {"zimage": "zi", "krea2": "kr2"}  # in the names of what musubi-tuner caches


def write_lora(path, rank, value=0.5, cut=0, name=LAYER, width=WIDTH):
    """Write a LoRA of one pair of matrices as safetensors (F32); ``cut`` bytes are missing at its end."""
    down = struct.pack("<f", value) * (rank * width)
    up = struct.pack("<f", 0.25) * (width * rank)
    header = {
        "__metadata__": {
            "ss_network_dim": str(rank),
            "ss_sd_model_name": "/models/secret place/base.safetensors",
            "ss_dataset_dirs": json.dumps({"10_tom": {"n_repeats": 10, "path": "/home/anna/tom"}}),
        },
        f"{name}.alpha": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]},
        f"{name}.lora_down.weight": {"dtype": "F32", "shape": [rank, width], "data_offsets": [4, 4 + len(down)]},
        f"{name}.lora_up.weight": {
            "dtype": "F32",
            "shape": [width, rank],
            "data_offsets": [4 + len(down), 4 + len(down) + len(up)],
        },
    }
    words = json.dumps(header).encode()
    data = struct.pack("<Q", len(words)) + words + struct.pack("<f", rank / 2) + down + up
    Path(path).write_bytes(data[: len(data) - cut])


def write_model(path):
    """Write a model file that is whole and has no tensor: nothing contradicts any base model."""
    Path(path).write_bytes(struct.pack("<Q", 2) + b"{}")


def install(folder):
    """Make a folder like sd-scripts' own."""
    (folder / "library").mkdir(parents=True)
    (folder / "library" / "config_util.py").write_text("custom_attributes\n")
    for script in ("train_network", "sdxl_train_network", "flux_train_network", "anima_train_network"):
        shutil.copy(__file__, folder / f"{script}.py")
    return folder


def install_musubi(folder):
    """Make a folder like musubi-tuner's own."""
    package = folder / "src" / "musubi_tuner"
    (package / "dataset").mkdir(parents=True)
    (package / "networks").mkdir()
    for family in CACHES:
        (package / "networks" / f"lora_{family}.py").touch()
        for script in ("cache_latents", "cache_text_encoder_outputs", "train_network"):
            name = f"{family}_{script}.py"
            (package / name).touch()
            shutil.copy(__file__, folder / name)
    for name in ("hv_train_network.py", "dataset/config_utils.py"):
        (package / name).touch()
    return folder


def install_ai_toolkit(folder):
    """Make a folder like ai-toolkit's own."""
    (folder / "toolkit").mkdir(parents=True)
    (folder / "toolkit" / "config.py").touch()
    (folder / "toolkit" / "config_modules.py").write_text("prior_reg 'gradient_accumulation'\n")
    shutil.copy(__file__, folder / "run.py")
    return folder


def say(text):
    sys.stderr.write(text)
    sys.stderr.flush()


def main():
    name = Path(sys.argv[0]).stem
    if "_cache_" in name:
        cache(name.partition("_")[0], is_text="text" in name)
    elif name == "run":
        train_as_ai_toolkit(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["config"])
    else:
        train_as_kohya()


def train_as_kohya():
    """Train as sd-scripts and musubi-tuner do, by a TOML file and options."""
    words = argparse.ArgumentParser()
    words.add_argument("--config_file", required=True)
    words.add_argument("--resume")
    words.add_argument("--initial_step", type=int, default=0)
    words.add_argument("--max_train_epochs", type=int)
    words.add_argument("--output_name")
    words.add_argument("--lr_scheduler_type")
    words.add_argument("--lr_scheduler_args", nargs="*")
    given = words.parse_args()
    config = tomllib.loads(Path(given.config_file).read_text(encoding="utf-8"))
    flat = {}
    for key, value in config.items():
        flat.update(value if isinstance(value, dict) else {key: value})
    if given.max_train_epochs:  # musubi-tuner's: what is left, counted from 1 and under another name
        steps = int(os.environ.get("STANDIN_STEPS", "20"))
        os.environ["STANDIN_STEPS"] = str(steps * given.max_train_epochs // flat["max_train_epochs"])
        flat |= {"max_train_epochs": given.max_train_epochs, "output_name": given.output_name}
    deed = os.environ.get("STANDIN", "good")
    pause = float(os.environ.get("STANDIN_PAUSE", "0.01"))
    if deed == "fork" and os.fork():
        os._exit(0)
    if deed == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("deaf", flush=True)
    if deed == "children":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    AT_ONCE.get(deed, lambda: None)()
    if given.resume:
        (Path(given.resume) / "random_states_0.pkl").read_bytes()
    train(flat, deed, pause, given.initial_step)


def cache(family, *, is_text):
    """Leave a file for each image of the datasets, as musubi-tuner does; those that are there stay."""
    words = argparse.ArgumentParser()
    words.add_argument("--dataset_config", required=True)
    words.add_argument("--skip_existing", action="store_true")
    given, _ = words.parse_known_args()
    deed, pause = os.environ.get("STANDIN_CACHING", "good"), float(os.environ.get("STANDIN_IMAGE", "0.01"))
    datasets = tomllib.loads(Path(given.dataset_config).read_text(encoding="utf-8"))["datasets"]
    for each in datasets:
        images = sorted(each for each in Path(each["image_directory"]).iterdir() if each.suffix != ".txt")
        for done, image in enumerate(images[1:] if deed == "leaves one out" else images):
            short = CACHES[family]
            end = f"{short}_te" if is_text else f"{128:04d}x{128:04d}_{short}"
            file = Path(each["cache_directory"]) / f"{image.stem}_{end}.safetensors"
            file.parent.mkdir(parents=True, exist_ok=True)
            if given.skip_existing and file.exists():
                continue
            say(f"\r{done}it [00:00, 3.95it/s]")
            file.write_bytes(b"half")
            time.sleep(pause)
            write_lora(file, 4)
            if deed == "dies":
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")


def die():
    sys.exit(3)


def miss_a_module():
    __import__("a_module_that_nobody_has")


def run_out_of_memory():
    raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB")


def miss_a_file():
    Path("/nowhere/base.safetensors").read_bytes()


def be_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def tell_a_secret():
    print("token is", os.environ["HF_TOKEN"], flush=True)


def print_binary():
    sys.stdout.buffer.write(bytes(range(256)) * 4096)


def print_a_gigabyte():
    line = b"a line of no interest to anybody, said over and over again\n" * 1024
    for _ in range(int(os.environ.get("STANDIN_MEGABYTES", "1024")) * 2**20 // len(line)):
        sys.stdout.buffer.write(line)


AT_ONCE = {
    "dies": die,
    "module": miss_a_module,
    "oom": run_out_of_memory,
    "path": miss_a_file,
    "killed": be_killed,
    "secret": tell_a_secret,
    "binary": print_binary,
    "gigabyte": print_a_gigabyte,
}


def save_state(output, name, done):
    """Save a state as accelerate does, and remove the former one."""
    folder = output / f"{name}-{done:06d}-state"
    folder.mkdir()
    (folder / "random_states_0.pkl").touch()
    shutil.rmtree(output / f"{name}-{done - 1:06d}-state", ignore_errors=True)


def train(config, deed, pause, before=0):
    """Train, with a LoRA after each epoch; of a resumed training the bar begins at 0 again."""
    output, name = Path(config["output_dir"]), config["output_name"]
    epochs, total = config["max_train_epochs"], int(os.environ.get("STANDIN_STEPS", "20"))
    rank = config["network_dim"] // (2 if deed == "rank" else 1)
    value = float("nan") if deed == "nan" else 0.5
    layer = LAYERS.get(Path(sys.argv[0]).stem, {})
    say(f"\nepoch {before * epochs // total + 1}/{epochs}\n")
    for step in range(before + 1, total + 1):
        if deed != "silent":
            speed = f"{1 / max(pause, 1e-3):.2f}it/s, avr_loss={1 / step:.3g}"
            bar = f"{step - before}/{total} [00:{step % 60:02d}<00:00,  {speed}]"
            say(f"\rsteps: {100 * step // total:3d}%|\x1b[32m\u2588\x1b[0m  | {bar}")
        time.sleep(pause)
        if deed == "last" and step == total:
            sys.exit("\nRuntimeError: something broke at the very last step")
        done, before_ = step * epochs // total, (step - 1) * epochs // total
        if done > before_ and done < epochs:
            write_lora(output / f"{name}-{done:06d}.safetensors", rank, value, **layer)
            if config.get("save_state"):
                save_state(output, name, done)
            say(f"\nepoch {done + 1}/{epochs}\n")
    if deed != "nothing":
        write_lora(output / f"{name}.safetensors", rank, value, cut=100 if deed == "truncated" else 0, **layer)
    print("\nmodel saved.", flush=True)


def train_as_ai_toolkit(job):
    """Train as ai-toolkit does, with a LoRA after each epoch, in a folder of the job's name."""
    name, process = job["name"], job["process"][0]
    folder = Path(process["training_folder"]) / name
    folder.mkdir(parents=True, exist_ok=True)
    total, rank = process["train"]["steps"], process["network"]["linear"]
    for step in range(1, total + 1):
        bar = f"{step}/{total} [00:01<00:01,  9.00it/s, lr: 1.0e-04 loss: {1 / step:.3e}]"
        say(f"\r{name}: {100 * step // total:3d}%|#  | {bar}")
        time.sleep(float(os.environ.get("STANDIN_PAUSE", "0.01")))
        if step % process["save"]["save_every"] == 0 and step < total:
            write_lora(folder / f"{name}_{step:09d}.safetensors", rank, **LAYERS["run"])
    write_lora(folder / f"{name}.safetensors", rank, **LAYERS["run"])


if __name__ == "__main__":
    main()
