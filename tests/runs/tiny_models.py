"""Write a tiny, random model in Diffusers' form: ``python tiny_models.py sd15|sdxl FOLDER``, in a trainer's Python.

It has all layers of the real one's denoiser under their names, a tenth as wide. Its tokenizer knows bytes, each as
itself and as the end of a word, and merges none.
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

START, END = 512, 513


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


def text_encoder(kind, width):
    config = CLIPTextConfig(
        vocab_size=END + 1, hidden_size=width, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
        max_position_embeddings=77, projection_dim=width, bos_token_id=START, eos_token_id=END, pad_token_id=END,
    )  # fmt: skip
    return kind(config)


def parts(folder):
    """Return what both kinds have."""
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4}
    return {
        "tokenizer": tokenizer(folder / "tokenizer"),
        "vae": AutoencoderKL(block_out_channels=(32,) * 4, latent_channels=4, sample_size=64, **blocks),
        "scheduler": EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
        ),
    }


def sd15(folder):
    width = 768  # sd-scripts takes that of the real one
    unet = UNet2DConditionModel(
        sample_size=64, block_out_channels=(32, 64, 64, 64), cross_attention_dim=width, attention_head_dim=8
    )
    nothing = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    return StableDiffusionPipeline(
        text_encoder=text_encoder(CLIPTextModel, width), unet=unet, **parts(folder), **nothing
    )


def sdxl(folder):
    width, embedded = 32, 8
    unet = UNet2DConditionModel(
        sample_size=128, block_out_channels=(32, 64, 64), cross_attention_dim=2 * width, attention_head_dim=(2, 4, 4),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10), use_linear_projection=True,
        addition_embed_type="text_time", addition_time_embed_dim=embedded,
        projection_class_embeddings_input_dim=width + 6 * embedded,
    )  # fmt: skip
    return StableDiffusionXLPipeline(
        text_encoder=text_encoder(CLIPTextModel, width),
        text_encoder_2=text_encoder(CLIPTextModelWithProjection, width),
        tokenizer_2=tokenizer(folder / "tokenizer_2"),
        unet=unet,
        **parts(folder),
    )


if __name__ == "__main__":
    torch.manual_seed(0)
    place = Path(sys.argv[2])
    {"sd15": sd15, "sdxl": sdxl}[sys.argv[1]](place).save_pretrained(place)
