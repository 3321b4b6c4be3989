"""Chat templates: the text around the messages of each role. The registry lives in the kernel."""

import dataclasses
import enum
from typing import Callable, Dict, List, Optional, Tuple, Union

from sglang import _transport


class ChatTemplateStyle(enum.Enum):
    PLAIN = "plain"
    LLAMA2 = "llama2"


@dataclasses.dataclass
class ChatTemplate:
    name: str
    default_system_prompt: Optional[str]
    role_prefix_and_suffix: Dict[str, Tuple[str, str]]
    stop_str: Tuple[str, ...] = ()
    image_token: str = "<image>"
    audio_token: str = "<audio>"
    style: ChatTemplateStyle = ChatTemplateStyle.PLAIN

    def get_prefix_and_suffix(self, role: str, hist_messages: List[Dict]) -> Tuple[str, str]:
        """What stands before and after a message of ``role`` that follows ``hist_messages``."""
        prefix, suffix = self.role_prefix_and_suffix.get(role, ("", ""))
        if self.style == ChatTemplateStyle.LLAMA2:
            if role == "system" and not hist_messages:
                user_prefix = self.role_prefix_and_suffix.get("user", ("", ""))[0]
                return user_prefix + prefix, suffix
            if role == "user" and len(hist_messages) == 1 and hist_messages[0]["role"] == "system":
                return "", suffix
        return prefix, suffix

    def get_prompt(self, messages: List[Dict]) -> str:
        """The whole dialogue as text."""
        prompt = ""
        for i, message in enumerate(messages):
            role, content = message["role"], message["content"]
            if role == "system" and content is None:
                content = self.default_system_prompt
                if content is None:
                    continue
            prefix, suffix = self.get_prefix_and_suffix(role, messages[:i])
            prompt += f"{prefix}{content}{suffix}"
        return prompt

    def wire(self):
        return {
            "name": self.name,
            "defaultSystemPrompt": self.default_system_prompt,
            "roles": {role: list(pair) for role, pair in self.role_prefix_and_suffix.items()},
            "stop": list(self.stop_str),
            "imageToken": self.image_token,
            "audioToken": self.audio_token,
            "style": self.style.value,
        }


def template_of(wire):
    """The ChatTemplate of its form on the bridge."""
    return ChatTemplate(
        name=wire["name"],
        default_system_prompt=wire["defaultSystemPrompt"],
        role_prefix_and_suffix={role: tuple(pair) for role, pair in wire["roles"].items()},
        stop_str=tuple(wire["stop"]),
        image_token=wire["imageToken"],
        audio_token=wire["audioToken"],
        style=ChatTemplateStyle(wire["style"]),
    )


def register_chat_template(template: ChatTemplate):
    """Makes a template known under its name, for this kernel."""
    _transport.post({"op": "register_template", "template": template.wire()})


def get_chat_template(name: str) -> ChatTemplate:
    """The registered template ``name``; KeyError if there is none."""
    known = {wire["name"]: wire for wire in _transport.call({"op": "templates"})}
    if name not in known:
        raise KeyError(f"no chat template {name!r}; known: {', '.join(known)}")
    return template_of(known[name])


# The program's own rules, in the order in which they were registered.
matching_function_registry: List[Callable[[str], Union[None, str, ChatTemplate]]] = []


def register_chat_template_matching_function(func):
    """Asks ``func(model_path)`` for models that SGLang's own rules do not know, also as a decorator.

    It answers the name of a registered template, as in newer SGLang versions, a ChatTemplate, or None.
    Backends that are connected already keep their template.
    """
    matching_function_registry.append(func)
    return func


def get_chat_template_by_model_path(model_path: str) -> ChatTemplate:
    """The template of a model path: by SGLang's rules, then by the program's own, else "default"."""
    found = _transport.call({"op": "match_template", "model": model_path, "sglang": True})
    if found is not None:
        return template_of(found)
    own = match_own(model_path)
    return own or template_of(_transport.call({"op": "match_template", "model": model_path, "sglang": False}))


def match_own(model_path: str) -> Optional[ChatTemplate]:
    """What the program's own rules say."""
    for func in matching_function_registry:
        found = func(model_path)
        if found is not None:
            return found if isinstance(found, ChatTemplate) else get_chat_template(found)
    return None


def __getattr__(name):
    if name == "chat_template_registry":
        return {wire["name"]: template_of(wire) for wire in _transport.call({"op": "templates"})}
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
