/**
 * Which chat template a server's model gets when the program names none: what SGLang's registry has for
 * its path; else the model's own, which the bundled runtime tells, or whose files lie on this machine;
 * else "default".
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import type { ChatTemplate, ChatTemplateRegistry } from '../sglang/chat-template.ts';
import {
  templateOfModel,
  UnusableTemplateError,
  type TemplateSource,
} from '../sglang/model-template.ts';
import { isObject } from './bridge-fields.ts';

/** How users see the template that came with the model. */
const OWN = "the model's own";

export interface ChosenTemplate {
  readonly template: ChatTemplate;
  /** What the user should know of the choice. */
  readonly notice: string | null;
}

/** `modelInfo` is the server's answer to `/get_model_info`. */
export function chooseTemplate(
  registry: ChatTemplateRegistry,
  modelInfo: JsonObject,
  environment: NodeJS.ProcessEnv = process.env,
): ChosenTemplate {
  const path = textIn(modelInfo, 'model_path') ?? '';
  const template = registry.match(path);
  if (template.name !== 'default') return { template, notice: null };
  const source =
    told(modelInfo) ?? stored(textIn(modelInfo, 'tokenizer_path') ?? path, environment);
  if (source === null)
    return { template, notice: notice(`No chat template is known for the model "${path}"`) };
  try {
    return { template: templateOfModel(OWN, source), notice: null };
  } catch (error) {
    if (!(error instanceof UnusableTemplateError)) throw error;
    const reason = `The chat template of the model "${path}" cannot be written role by role (${error.message})`;
    return { template, notice: notice(reason) };
  }
}

function notice(reason: string): string {
  return (
    `${reason}: roles are written as "USER:" and "ASSISTANT:". ` +
    'If the model expects another form, name it: RuntimeEndpoint(url, chat_template_name="chatml").'
  );
}

/** As the bundled runtime says it. */
function told(modelInfo: JsonObject): TemplateSource | null {
  const template = textIn(modelInfo, 'chat_template');
  if (template === null) return null;
  return {
    template,
    begin: textIn(modelInfo, 'bos_token') ?? '',
    end: textIn(modelInfo, 'eos_token') ?? '',
  };
}

/** From the model's folder, or from the cache of the Hugging Face hub. */
function stored(model: string, environment: NodeJS.ProcessEnv): TemplateSource | null {
  const folder = isAbsolute(model) ? model : cachedFolder(model, environment);
  if (folder === null) return null;
  const settings = readJson(join(folder, 'tokenizer_config.json'));
  const template =
    readText(join(folder, 'chat_template.jinja')) ?? plainTemplate(settings['chat_template']);
  if (template === null) return null;
  return {
    template,
    begin: tokenText(settings['bos_token']),
    end: tokenText(settings['eos_token']),
  };
}

function cachedFolder(model: string, environment: NodeJS.ProcessEnv): string | null {
  if (!/^[\w.-]+\/[\w.-]+$/.test(model)) return null;
  const home = environment['HF_HOME'] || join(homedir(), '.cache', 'huggingface');
  const hub = environment['HF_HUB_CACHE'] || join(home, 'hub');
  const folder = join(hub, `models--${model.replace('/', '--')}`);
  const snapshots = join(folder, 'snapshots');
  const current = readText(join(folder, 'refs', 'main'))?.trim();
  const names =
    current === undefined ? (existsSync(snapshots) ? readdirSync(snapshots) : []) : [current];
  const [name] = names;
  return name === undefined ? null : join(snapshots, name);
}

/** A model may have several; the one for plain dialogues is "default". */
function plainTemplate(value: JsonValue | undefined): string | null {
  if (typeof value === 'string') return value;
  const named = Array.isArray(value) ? value.filter(isObject) : [];
  const plain = named.find((each) => each['name'] === 'default');
  return plain === undefined ? null : textIn(plain, 'template');
}

function tokenText(value: JsonValue | undefined): string {
  const text = isObject(value) ? value['content'] : value;
  return typeof text === 'string' ? text : '';
}

function textIn(fields: JsonObject, name: string): string | null {
  const value = fields[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function readJson(file: string): JsonObject {
  try {
    // SAFETY: JSON.parse yields exactly the JSON values.
    const value = JSON.parse(readText(file) ?? '') as JsonValue;
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
