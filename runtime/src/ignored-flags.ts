/** Flags of `sglang.launch_server` that have no counterpart in this runtime, and why. */
export interface IgnoredFlag {
  readonly values: 'none' | 'one';
  readonly reason: string;
}

const ONE_DEVICE = 'one process on one device computes everything';
const GGUF = 'the GGUF file decides';
const ENGINE = 'llama.cpp computes with its own kernels';
const SCHEDULER = 'this scheduler has no such setting';
const LOGS = 'log lines go to standard output';
const NO_SERVICE = 'this runtime serves generation only';

const groups: readonly (readonly [IgnoredFlag['values'], string, readonly string[]])[] = [
  [
    'one',
    ONE_DEVICE,
    ['tp', 'tp-size', 'tensor-parallel-size', 'dp', 'dp-size', 'data-parallel-size', 'pp-size']
      .concat(['ep-size', 'expert-parallel-size', 'nnodes', 'node-rank', 'dist-init-addr'])
      .concat(['nccl-init-addr', 'dist-timeout', 'base-gpu-id', 'gpu-id-step'])
      .concat(['load-balance-method', 'init-expert-location', 'moe-a2a-backend']),
  ],
  [
    'none',
    ONE_DEVICE,
    ['enable-dp-attention', 'enable-p2p-check', 'enable-ep-moe', 'enable-mixed-chunk'],
  ],
  [
    'one',
    GGUF,
    ['tokenizer-path', 'tokenizer-mode', 'load-format', 'dtype', 'quantization', 'revision']
      .concat(['kv-cache-dtype', 'quantization-param-path', 'download-dir', 'torchao-config'])
      .concat(['model-impl', 'json-model-override-args', 'model-loader-extra-config']),
  ],
  ['none', GGUF, ['trust-remote-code', 'skip-tokenizer-init', 'is-embedding', 'enable-multimodal']],
  [
    'one',
    ENGINE,
    [
      'attention-backend',
      'sampling-backend',
      'grammar-backend',
      'constrained-json-whitespace-pattern',
    ]
      .concat([
        'cuda-graph-max-bs',
        'cuda-graph-bs',
        'prefill-attention-backend',
        'moe-runner-backend',
      ])
      .concat(['decode-attention-backend', 'mm-attention-backend', 'fp8-gemm-backend'])
      .concat(['triton-attention-num-kv-splits', 'num-continuous-decode-steps', 'page-size']),
  ],
  [
    'none',
    ENGINE,
    [
      'disable-cuda-graph',
      'disable-cuda-graph-padding',
      'enable-torch-compile',
      'disable-custom-all-reduce',
    ]
      .concat(['enable-nccl-nvls', 'enable-nan-detection', 'enable-flashinfer-mla', 'disable-mla'])
      .concat(['disable-outlines-disk-cache', 'disable-overlap-schedule'])
      .concat([
        'triton-attention-reduce-in-fp32',
        'enable-cudagraph-gc',
        'disable-piecewise-cuda-graph',
      ]),
  ],
  [
    'one',
    SCHEDULER,
    ['schedule-conservativeness', 'max-prefill-tokens', 'stream-interval']
      .concat(['prefill-max-requests', 'watchdog-timeout', 'cpu-offload-gb', 'hicache-ratio'])
      .concat(['hicache-write-policy', 'hicache-io-backend', 'hicache-mem-layout'])
      .concat(['speculative-algorithm', 'speculative-algo', 'speculative-draft-model-path'])
      .concat(['speculative-num-steps', 'speculative-eagle-topk', 'speculative-num-draft-tokens'])
      .concat(['max-loras-per-batch', 'lora-backend', 'lora-paths', 'delete-ckpt-after-loading'])
      .concat(['sampling-defaults', 'preferred-sampling-params', 'max-mamba-cache-size']),
  ],
  ['none', SCHEDULER, ['enable-lora', 'enable-priority-scheduling']],
  [
    'one',
    LOGS,
    ['log-level-http', 'log-requests-level', 'decode-log-interval', 'crash-dump-folder'],
  ],
  ['none', LOGS, ['log-requests', 'enable-metrics', 'show-time-cost', 'enable-trace']],
  [
    'one',
    NO_SERVICE,
    ['file-storage-path', 'file-storage-pth', 'tool-call-parser', 'reasoning-parser', 'tool-server']
      .concat(['completion-template', 'hf-chat-template-name', 'nccl-port', 'weight-version'])
      .concat(['tokenizer-worker-num', 'fastapi-root-path', 'disaggregation-mode', 'ssl-keyfile'])
      .concat(['ssl-certfile', 'admin-api-key']),
  ],
  [
    'none',
    NO_SERVICE,
    ['skip-server-warmup', 'allow-auto-truncate', 'enable-custom-logit-processor'],
  ],
];

export const IGNORED_FLAGS: ReadonlyMap<string, IgnoredFlag> = new Map(
  groups.flatMap(([values, reason, names]) =>
    names.map((name) => [name, { values, reason }] as const),
  ),
);
