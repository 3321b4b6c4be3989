"""Tokenizers of the hub, by the library transformers."""


def get_tokenizer(tokenizer_name, *args, trust_remote_code=False, **options):
    """The tokenizer of a model's folder or name on the hub."""
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise ImportError(
            "get_tokenizer needs the package transformers: %pip install transformers, on a Python of your own."
        ) from None
    return AutoTokenizer.from_pretrained(tokenizer_name, *args, trust_remote_code=trust_remote_code, **options)
