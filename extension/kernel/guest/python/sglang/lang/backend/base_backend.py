"""What every backend has."""

from sglang import _transport
from sglang.lang.chat_template import ChatTemplate, get_chat_template, template_of


class BaseBackend:
    """A connection that the kernel holds; this object only names it."""

    support_concate_and_append = False

    def __init__(self, backend_id=None, model_info=None, template=None):
        self.id = backend_id
        self.model_info = model_info or {}
        self._template = None if template is None else template_of(template)

    @property
    def chat_template(self) -> ChatTemplate:
        """Assign another one to change how programs render their roles."""
        if self._template is None:
            self._template = get_chat_template("default")
        return self._template

    @chat_template.setter
    def chat_template(self, template: ChatTemplate):
        self._template = template
        _transport.post({"op": "set_template", "backend": self.id, "template": template.wire()})

    def get_model_name(self):
        return self.model_info.get("model_path")

    def get_chat_template(self):
        return self.chat_template

    def cache_prefix(self, prefix_str: str):
        """Computes a prefix now, so that prompts which begin with it are faster."""
        exprs = [{"t": "text", "v": prefix_str}]
        _transport.call({"op": "cache_prefix", "backend": self.id, "exprs": exprs, "always": True})

    def flush_cache(self):
        _transport.call({"op": "flush_cache", "backend": self.id})

    def get_server_info(self):
        return _transport.call({"op": "server_info", "backend": self.id})

    def shutdown(self):
        pass
