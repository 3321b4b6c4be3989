"""Backends of SGLang that this kernel does not have (yet)."""


def _unsupported(name, instead):
    class Backend:
        def __init__(self, *args, **kwargs):
            raise NotImplementedError(f"sglang.{name} is not available in this kernel. {instead}")

    Backend.__name__ = Backend.__qualname__ = name
    return Backend


_SERVER = "Use RuntimeEndpoint(url) with a server that speaks SGLang's HTTP API."

Engine = _unsupported("Engine", "Use Runtime(model_path=…), which starts the bundled runtime.")
OpenAI = _unsupported("OpenAI", _SERVER)
Anthropic = _unsupported("Anthropic", _SERVER)
LiteLLM = _unsupported("LiteLLM", _SERVER)
VertexAI = _unsupported("VertexAI", _SERVER)
