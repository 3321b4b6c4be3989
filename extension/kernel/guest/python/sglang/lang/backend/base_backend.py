"""What every backend has."""

from sglang import _transport
from sglang.lang import chat_template as templates
from sglang.lang.chat_template import ChatTemplate, get_chat_template, template_of


class BaseBackend:
    """A connection that the kernel holds; this object only names it."""

    support_concate_and_append = False

    def __init__(self, answer=None):
        self.id = None
        self.model_info = {}
        self._template = None
        if answer is not None:
            self._connected(answer)

    def _connected(self, answer):
        self.id = answer["id"]
        self.model_info = answer["modelInfo"]
        if answer["template"] is not None:
            self._template = template_of(answer["template"])
            return
        own = templates.match_own(self.get_model_name() or "")
        if own is not None:
            self.chat_template = own
        else:
            self._template = template_of(_transport.call({"op": "choose_template", "backend": self.id}))

    @property
    def chat_template(self) -> ChatTemplate:
        """Assign another one to change how programs render their roles."""
        if self._template is None:
            self._template = get_chat_template("default")
        return self._template

    @chat_template.setter
    def chat_template(self, template: ChatTemplate):
        self._template = template
        if self.id is not None:
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


def own_matches():
    """Whether the program has rules of its own for the templates of models."""
    return bool(templates.matching_function_registry)
