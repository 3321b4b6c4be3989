"""Helpers of SGLang's server that notebooks use."""

import base64
import io
import os


def load_image(image_file):
    """``(image, None)``, a PIL image: of bytes, a PIL image, a file, a data: or http(s): URL, or base64."""
    from PIL import Image

    if isinstance(image_file, Image.Image):
        return image_file, None
    return Image.open(io.BytesIO(_bytes_of(image_file))), None


def _bytes_of(image):
    if isinstance(image, bytes):
        return image
    if image.startswith(("http://", "https://")):
        from sglang.utils import download

        return download(image)
    if image.startswith("data:"):
        return base64.b64decode(image.partition(",")[2])
    path = os.path.expanduser(image.removeprefix("file://"))
    if os.path.exists(path):
        with open(path, "rb") as file:
            return file.read()
    try:
        return base64.b64decode(image, validate=True)
    except ValueError:
        raise FileNotFoundError(f"There is no image file {image[:200]!r}.") from None
