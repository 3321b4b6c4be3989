"""Settings of this Python process."""


class GlobalConfig:
    def __init__(self):
        # 0: quiet; 2: print the final text of each run.
        self.verbosity = 0
        self.default_backend = None
        self.skip_special_tokens_in_output = True
        self.spaces_between_special_tokens_in_out = True
        # Before a batch, compute the prompt prefix that all its programs share.
        self.enable_precache_with_tracing = True
        # Accepted for compatibility: concate_and_append always works on text.
        self.enable_parallel_encoding = True


global_config = GlobalConfig()
