"""The graph of the example workflow as ComfyUI's API takes it."""


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def index(folder, sidecars=".txt=sidecar, .caption=joycaption"):
    return node("LoradsIndexImages", folder=folder, library="pictures", sidecars=sidecars)


def query(name, **inputs):
    everything = {
        "library": "pictures",
        "name": name,
        "required_tags": "",
        "excluded_tags": "",
        "minimum_rating": 0,
        "exclude_marked_bad": True,
        "minimum_side": 0,
        "maximum_images": 0,
        "order": "path",
        "seed": 0,
        "cluster": "",
        "album": "",
        "ids": "",
    }
    return node("LoradsQueryImages", **{**everything, **inputs})


def finder(dataset, **inputs):
    everything = {
        "dataset": dataset,
        "count": 100,
        "library": "the dataset's",
        "minimum_similarity": 0.5,
        "maximum_similarity": 0.85,
        "unit": "similarity",
        "required_tags": "",
        "excluded_tags": "",
        "minimum_rating": 0,
        "mode": "centres",
        "quality": 0.3,
        "diversity": 0.3,
        "per_cluster": 0,
        "exclude_clusters": True,
        "exclude_characters": True,
        "compare_pictures": True,
    }
    return node("LoradsRegularizationFinder", **{**everything, **inputs})


CAPTIONS = node(
    "LoradsCaptionBuilder",
    dataset=["regularization", 0],
    source="sidecar",
    fallback="",
    trigger="oldlandmark",
    position="prepend",
    base_model="sdxl",
    vocabulary="(ours)",
    leave_out="",
    bind="",
    wd_threshold=0.35,
    wd_character_threshold=0.85,
    joytag_threshold=0.4,
)
CONFIG = node(
    "LoradsTrainingConfig",
    preset="(custom)",
    base_model="sdxl",
    checkpoint="(choose later)",
    network_dim=16,
    network_alpha=8.0,
    resolution=1024,
    batch_size=2,
    epochs=10,
    repeats=10,
    learning_rate=0.0001,
    seed=42,
    network="lora",
    conv_dim=0,
    network_dropout=0.0,
    text_encoder_learning_rate=0.0,
    optimizer="AdamW8bit",
    scheduler="cosine",
    warmup=0.05,
    gradient_accumulation_steps=1,
    min_snr_gamma=0.0,
    noise_offset=0.0,
    v_prediction=False,
    shuffle_caption=False,
    caption_dropout=0.0,
    flip_aug=False,
    color_aug=False,
    random_crop=False,
    masked_loss="none",
    bucket_no_upscale=False,
    regularization_method="prior",
    regularization_repeats=1,
    prior_loss_weight=1.0,
    cache_latents=True,
    gradient_checkpointing=True,
    mixed_precision="bf16",
    save_every_epochs=1,
    sample_prompts="",
    clip_l="(none)",
    t5xxl="(none)",
    ae="(none)",
)


def export(folder="", images="original"):
    return node(
        "LoradsExportDataset",
        dataset=["captions", 0],
        config=["config", 0],
        trainer="sd-scripts",
        folder=folder,
        images=images,
        size=2048,
        format="png",
        quality=95,
        background="white",
        keep_alpha=False,
        strip=False,
        link=False,
        first_frame=False,
    )


def whole(name, subject, other, /, **changed):
    """Return the whole graph; ``changed`` puts another node in a place, or changes inputs of the one there."""
    graph = {
        "subject": index(subject),
        "other": index(other),
        "training": query(name, index=["subject", 0]),
        "regularization": query(name, index=["other", 0], add_to=["training", 0]),
        "captions": CAPTIONS,
        "config": CONFIG,
        "export": export(),
    }
    for place, inputs in changed.items():
        graph[place] = {**graph[place], "inputs": {**graph[place]["inputs"], **inputs}}
    return graph
