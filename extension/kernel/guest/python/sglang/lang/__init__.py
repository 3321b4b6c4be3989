"""SGLang's frontend language."""
