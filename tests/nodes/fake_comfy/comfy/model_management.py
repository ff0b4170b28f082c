"""ComfyUI's interruption: a test sets `interrupted`."""

interrupted = False


class InterruptProcessingException(Exception):  # noqa: N818 (ComfyUI's name)
    pass


def throw_exception_if_processing_interrupted():
    if interrupted:
        raise InterruptProcessingException
