"""How ``select`` decides between its choices. The kernel does the arithmetic."""


class ChoicesSamplingMethod:
    """A way to decide; its name is what the kernel knows it by."""

    wire_name = ""

    def __repr__(self):
        return f"<{self.wire_name}>"


class TokenLengthNormalized(ChoicesSamplingMethod):
    """The choice with the highest mean log probability per token."""

    wire_name = "token_length_normalized"


class GreedyTokenSelection(ChoicesSamplingMethod):
    """Token by token, the choices whose token is the likeliest remain."""

    wire_name = "greedy_token_selection"


class UnconditionalLikelihoodNormalized(ChoicesSamplingMethod):
    """The choice whose likelihood gains most from the prompt."""

    wire_name = "unconditional_likelihood_normalized"


token_length_normalized = TokenLengthNormalized()
greedy_token_selection = GreedyTokenSelection()
unconditional_likelihood_normalized = UnconditionalLikelihoodNormalized()
