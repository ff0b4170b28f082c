"""Write a tiny, random Stable Diffusion 1.5 in Diffusers' form: ``python tiny_sd15.py FOLDER``, in a trainer's Python.

It has all layers of the real one under their names, a tenth as wide. Its tokenizer knows bytes, each as itself and as
the end of a word, and merges none.
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

WIDTH = 768  # of the text encoder's outputs: trainers take that of the real one


def tokenizer(folder):
    """Return a tokenizer, whose files are written into a folder."""
    plain = [chr(byte) for byte in (*range(33, 127), *range(161, 173), *range(174, 256))]
    units = [*plain, *(chr(256 + number) for number in range(256 - len(plain)))]  # as CLIP writes bytes
    words = [*units, *(f"{unit}</w>" for unit in units), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()
    places = {word: number for number, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(places), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)


def main(folder):
    torch.manual_seed(0)
    end = 513
    text = CLIPTextConfig(
        vocab_size=514, hidden_size=WIDTH, intermediate_size=64, num_hidden_layers=12, num_attention_heads=12,
        max_position_embeddings=77, bos_token_id=512, eos_token_id=end, pad_token_id=end,
    )  # fmt: skip
    vae = {"block_out_channels": (32,) * 4, "latent_channels": 4, "sample_size": 64}
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4}
    StableDiffusionPipeline(
        tokenizer=tokenizer(folder / "tokenizer"),
        text_encoder=CLIPTextModel(text),
        vae=AutoencoderKL(**vae, **blocks),
        unet=UNet2DConditionModel(
            sample_size=64, block_out_channels=(32, 64, 64, 64), cross_attention_dim=WIDTH, attention_head_dim=8
        ),
        scheduler=DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
