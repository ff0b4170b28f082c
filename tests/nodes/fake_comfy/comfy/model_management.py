"""ComfyUI's interruption: a test sets `interrupted`."""

interrupted = False


class InterruptProcessingException(BaseException):
    pass


def throw_exception_if_processing_interrupted():
    if interrupted:
        raise InterruptProcessingException


freed = []


def unload_all_models():
    freed.append("models")


def soft_empty_cache():
    freed.append("cache")
