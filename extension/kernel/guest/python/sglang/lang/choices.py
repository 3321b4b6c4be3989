"""How ``select`` decides between its choices.

The kernel does the arithmetic of SGLang's own methods. Called from Python, with log probabilities of
one's own, they decide in the same way. Any other callable is a method of the program's own: it is called
with the same keywords when the select is executed, and answers a ``ChoicesDecision``.
"""

import dataclasses
import itertools
import json
from typing import Any, Dict, Optional


@dataclasses.dataclass
class ChoicesDecision:
    decision: str
    meta_info: Optional[Dict[str, Any]] = None


class ChoicesSamplingMethod:
    """A way to decide. Programs may derive their own, with a ``__call__`` like this one's.

    Those that set ``requires_unconditional_logprobs`` also get the log probabilities of the same tokens
    without the prompt.

    Token log probabilities are lists, one for each choice, of ``(log probability, token id, text)``.
    """

    wire_name = ""
    requires_unconditional_logprobs = False

    def __call__(
        self,
        *,
        choices,
        normalized_prompt_logprobs,
        input_token_logprobs,
        output_token_logprobs,
        unconditional_token_logprobs=None,
    ):
        chosen, more = self._decide(normalized_prompt_logprobs, input_token_logprobs, unconditional_token_logprobs)
        meta_info = {
            "normalized_prompt_logprobs": normalized_prompt_logprobs,
            "input_token_logprobs": input_token_logprobs,
            "output_token_logprobs": output_token_logprobs,
            **more,
        }
        return ChoicesDecision(choices[chosen], meta_info)

    def _decide(self, means, tokens, unconditional):
        """The index of the choice, and what the method adds to the meta information."""
        raise NotImplementedError

    def __repr__(self):
        return f"<{self.wire_name}>"


class TokenLengthNormalized(ChoicesSamplingMethod):
    """The choice with the highest mean log probability per token."""

    wire_name = "token_length_normalized"

    def _decide(self, means, tokens, unconditional):
        return _best(means), {}


class GreedyTokenSelection(ChoicesSamplingMethod):
    """Token by token, the choices whose token is the likeliest remain."""

    wire_name = "greedy_token_selection"

    def _decide(self, means, tokens, unconditional):
        rows = [[token[0] for token in choice] for choice in tokens]
        length = max(map(len, rows))
        # A choice that has ended goes on with its mean.
        matrix = [row + [sum(row) / len(row)] * (length - len(row)) for row in rows]
        remaining = list(range(len(matrix)))
        for column in range(length):
            best = max(matrix[i][column] for i in remaining)
            remaining = [i for i in remaining if matrix[i][column] == best]
            if len(remaining) == 1:
                break
        return remaining[0], {"greedy_logprob_matrix": matrix}


class UnconditionalLikelihoodNormalized(ChoicesSamplingMethod):
    """The choice whose likelihood gains most from the prompt."""

    wire_name = "unconditional_likelihood_normalized"
    requires_unconditional_logprobs = True

    def _decide(self, means, tokens, unconditional):
        if unconditional is None:
            raise ValueError("unconditional_likelihood_normalized needs unconditional_token_logprobs.")
        gains = [
            sum(given[0] - (alone[0] or 0) for given, alone in zip(*pair)) / len(pair[0])
            for pair in zip(tokens, unconditional)
        ]
        more = {
            "unconditional_token_logprobs": unconditional,
            "normalized_unconditional_prompt_logprobs": gains,
        }
        return _best(gains), more


def _best(values):
    """The first of the highest."""
    return max(range(len(values)), key=values.__getitem__)


token_length_normalized = TokenLengthNormalized()
greedy_token_selection = GreedyTokenSelection()
unconditional_likelihood_normalized = UnconditionalLikelihoodNormalized()

_KNOWN = (TokenLengthNormalized, GreedyTokenSelection, UnconditionalLikelihoodNormalized)
_tickets = itertools.count(1)


class OwnSelect(dict):
    """A select on the bridge whose method the kernel does not know."""

    def __init__(self, fields, method):
        unconditional = bool(getattr(method, "requires_unconditional_logprobs", False))
        super().__init__(fields, method="own", ticket=next(_tickets), unconditional=unconditional)
        self.decider = method


def select_wire(fields, method):
    """The fields of a select, with how it is decided."""
    if type(method) in _KNOWN:
        return {**fields, "method": method.wire_name}
    return OwnSelect(fields, method)


def decide_own(executor, select):
    """Waits until the kernel knows the log probabilities of a select, and tells it the decision."""
    ticket, name = select["ticket"], select["name"]
    evidence = executor.call("evidence", ticket=ticket)
    if evidence is None:
        return  # the state failed before
    answer = {"decision": "", "meta": {}, "error": None}
    try:
        decision = _decision(select.decider, select["choices"], evidence)
        answer["decision"] = decision.decision
        answer["meta"] = _sendable(decision.meta_info)
        if name is not None:
            executor.own_meta[name] = decision.meta_info
    except BaseException as error:
        executor.own_error = error
        answer["error"] = {"type": type(error).__name__, "message": str(error)}
    executor.post("decide", ticket=ticket, **answer)


def _decision(method, choices, evidence):
    keywords = {
        "choices": list(choices),
        "normalized_prompt_logprobs": evidence["normalized"],
        "input_token_logprobs": evidence["tokens"],
        "output_token_logprobs": evidence["outputTokens"],
        "unconditional_token_logprobs": evidence["unconditional"],
    }
    decision = method(**keywords)
    text = getattr(decision, "decision", None)
    if not isinstance(text, str):
        raise TypeError(
            f"choices_method {method!r} must answer a ChoicesDecision whose decision is a string, not {decision!r}"
        )
    return decision


def _sendable(meta_info):
    """Meta information as the kernel can keep it; what is no JSON stays in Python alone."""
    try:
        json.dumps(meta_info, allow_nan=False)
    except (TypeError, ValueError):
        return {}
    return meta_info if isinstance(meta_info, dict) else {}
