/** `.pyi` files of the `sglang` package for the type engine, made from the table of its functions. */
import {
  apiConstants,
  apiFunctions,
  apiNames,
  type ApiFunction,
  type ApiParameter,
} from '../semantics/sglang-api.ts';

const types: Readonly<Record<string, string>> = {
  SglExpr: 'SglExpr',
  RuntimeEndpoint: 'RuntimeEndpoint',
  'ChoicesSamplingMethod | None': 'Any',
  ChoicesSamplingMethod: 'Any',
  'type | str | None': 'Any',
  'BaseBackend | None': 'Any',
  BaseBackend: 'Any',
  'SglExpr | str | None': 'SglExpr | str | None',
  'str | bytes | PIL.Image': 'Any',
};

const typeOf = (type: string): string => types[type] ?? type;

function parameterStub({ name, type, defaultText }: ApiParameter): string {
  return `${name}: ${typeOf(type)}${defaultText === null ? '' : ' = ...'}`;
}

function functionStub({ name, parameters, keywords, returns }: ApiFunction): string {
  const list = parameters.map(parameterStub);
  if (keywords !== undefined) list.push('*', ...keywords.map(parameterStub));
  return `def ${name}(${list.join(', ')}) -> ${typeOf(returns)}: ...`;
}

const ir = `from typing import Any, Callable, Generic, Iterator, TypeVar
from sglang.lang.interpreter import ProgramState

_State = TypeVar("_State", bound=ProgramState, default=ProgramState)

class SglExpr:
    def __add__(self, other: SglExpr | str) -> SglExpr: ...
    def __radd__(self, other: SglExpr | str) -> SglExpr: ...

class SglFunction(Generic[_State]):
    func: Callable[..., Any]
    arg_names: list[str]
    def run(self, *args: Any, **kwargs: Any) -> _State: ...
    def __call__(self, *args: Any, **kwargs: Any) -> _State: ...
    def run_batch(self, batch_kwargs: list[Any] | tuple[Any, ...], **kwargs: Any) -> list[_State]: ...
    def bind(self, **kwargs: Any) -> SglFunction[_State]: ...
    def trace(self, **kwargs: Any) -> Any: ...
    def cache(self, backend: Any = ...) -> None: ...
`;

const interpreter = `from contextlib import AbstractContextManager
from typing import Any, AsyncIterator, Iterator, Self
from sglang.lang.ir import SglExpr

class ProgramState:
    ret_value: Any
    stream_executor: Any
    def __getitem__(self, name: str, /) -> Any: ...
    def __setitem__(self, name: str, value: Any, /) -> None: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __iadd__(self, other: Any) -> Self: ...
    def get_var(self, name: str) -> Any: ...
    def set_var(self, name: str, value: Any) -> None: ...
    def get_meta_info(self, name: str) -> Any: ...
    def text(self) -> str: ...
    def messages(self) -> list[dict[str, Any]]: ...
    def error(self) -> BaseException | None: ...
    def sync(self) -> None: ...
    def text_iter(self, var_name: str | None = ...) -> Iterator[str]: ...
    def text_async_iter(self, var_name: str | None = ..., return_meta_data: bool = ...) -> AsyncIterator[Any]: ...
    def fork(self, size: int = ..., position_ids_offset: Any = ...) -> ProgramStateGroup: ...
    def copy(self, position_ids_offset: Any = ...) -> AbstractContextManager[ProgramState]: ...
    def var_scope(self, name: str) -> AbstractContextManager[Any]: ...
    def system(self, expr: Any = ...) -> Any: ...
    def user(self, expr: Any = ...) -> Any: ...
    def assistant(self, expr: Any = ...) -> Any: ...

class ProgramStateGroup:
    states: list[ProgramState]
    src_state: ProgramState
    def __getitem__(self, i: int, /) -> ProgramState: ...
    def __setitem__(self, i: int, value: ProgramState, /) -> None: ...
    def __iadd__(self, other: Any) -> Self: ...
    def __iter__(self) -> Iterator[ProgramState]: ...
    def join(self, mode: str = ...) -> None: ...
`;

const utilities = `from typing import Any
def execute_shell_command(command: str) -> Any: ...
def launch_server_cmd(command: str, host: str = ..., port: int | None = ...) -> tuple[Any, int]: ...
def wait_for_server(base_url: str, timeout: int | None = ...) -> None: ...
def terminate_process(process: Any) -> None: ...
def print_highlight(html_content: Any) -> None: ...
def __getattr__(name: str) -> Any: ...
`;

function packageStub(): string {
  const functions = [...apiFunctions.values()].filter(
    ({ name }) => name !== 'function' && name !== 'RuntimeEndpoint',
  );
  const others = [...apiNames].filter((name) => !apiFunctions.has(name));
  return `from typing import Any, Callable, overload
from sglang.lang.interpreter import ProgramState as ProgramState
from sglang.lang.ir import SglExpr as SglExpr, SglFunction as SglFunction

@overload
def function(func: Callable[..., Any]) -> SglFunction[ProgramState]: ...
@overload
def function(func: None = ..., num_api_spec_tokens: int | None = ...) -> Callable[[Callable[..., Any]], SglFunction[ProgramState]]: ...
class RuntimeEndpoint:
    chat_template: Any
    model_info: dict[str, Any]
    def __init__(self, base_url: str, api_key: str | None = ..., verify: str | None = ..., chat_template_name: str | None = ...) -> None: ...
    def get_model_name(self) -> str: ...
    def flush_cache(self) -> None: ...
${functions.map(functionStub).join('\n')}
${others.map((name) => `${name}: Any`).join('\n')}
`;
}

/** File path below the stub folder → text. */
export function packageStubs(): ReadonlyMap<string, string> {
  const open = 'from typing import Any\ndef __getattr__(name: str) -> Any: ...\n';
  const constants = [...apiConstants.keys()].map((name) => `${name}: str`).join('\n');
  return new Map([
    ['sglang/__init__.pyi', packageStub()],
    ['sglang/api.pyi', 'from sglang import *\n'],
    ['sglang/utils.pyi', utilities],
    ['sglang/global_config.pyi', open],
    ['sglang/lang/__init__.pyi', ''],
    ['sglang/lang/api.pyi', 'from sglang import *\n'],
    ['sglang/lang/ir.pyi', `${ir}\n${constants}\n`],
    ['sglang/lang/interpreter.pyi', interpreter],
    ['sglang/lang/choices.pyi', open],
    ['sglang/lang/chat_template.pyi', open],
    ['sglang/lang/backend/__init__.pyi', ''],
    [
      'sglang/lang/backend/runtime_endpoint.pyi',
      'from sglang import RuntimeEndpoint as RuntimeEndpoint\n',
    ],
    ['sglang/srt/__init__.pyi', open],
    ['sglang/test/__init__.pyi', open],
    ['sglang/test/doc_patch.pyi', open],
    ['sglang/test/test_utils.pyi', open],
  ]);
}
