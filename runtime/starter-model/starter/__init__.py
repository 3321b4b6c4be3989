"""The SGLang Notebooks starter model: corpus, tokenizer, training, export and evaluation."""
