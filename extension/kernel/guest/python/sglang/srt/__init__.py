"""SGLang's server, which is not part of this package."""

raise ImportError(
    "sglang.srt is SGLang's server, which this kernel does not contain. Start the bundled runtime with "
    'execute_shell_command("python3 -m sglang.launch_server …") and use RuntimeEndpoint(url).'
)
