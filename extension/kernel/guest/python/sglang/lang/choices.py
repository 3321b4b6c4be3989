"""How ``select`` decides between its choices.

The kernel does the arithmetic of programs. Called from Python, with log probabilities of one's own, the
methods decide in the same way.
"""

import dataclasses
from typing import Any, Dict, Optional


@dataclasses.dataclass
class ChoicesDecision:
    decision: str
    meta_info: Optional[Dict[str, Any]] = None


class ChoicesSamplingMethod:
    """A way to decide; its name is what the kernel knows it by.

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
