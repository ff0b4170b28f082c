"""What tests of embedding share."""

from .real import real_encoder

__all__ = ["real_encoder"]
