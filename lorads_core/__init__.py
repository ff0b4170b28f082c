"""The core of LoRADS: from an image library to a training-ready dataset; it knows neither ComfyUI nor torch."""

__version__ = "0.1.0"
