/**
 * SGLang's chat-template registry: names, prefixes, suffixes and stop strings as SGLang defines them
 * (v0.4.3 and v0.5.6; where both have a name they agree). Data only; `chat-template.ts` renders.
 */
import type { WireChatTemplate as ChatTemplate } from '../guest/bridge-protocol.ts';

type Affixes = readonly [prefix: string, suffix: string];

interface Definition {
  readonly system: Affixes;
  readonly user: Affixes;
  readonly assistant: Affixes;
  readonly prompt?: string;
  readonly stop?: readonly string[];
  readonly image?: string;
  readonly audio?: string;
  readonly style?: 'llama2';
}

function define(name: string, definition: Definition): ChatTemplate {
  const { system, user, assistant } = definition;
  return {
    name,
    defaultSystemPrompt: definition.prompt ?? null,
    roles: { system, user, assistant },
    stop: definition.stop ?? [],
    imageToken: definition.image ?? '<image>',
    audioToken: definition.audio ?? '<audio>',
    style: definition.style ?? 'plain',
  };
}

/** Templates that open every role the same way: `before ROLE middle … after`. */
function uniform(
  before: string,
  middle: string,
  after: string,
): Pick<Definition, 'system' | 'user' | 'assistant'> {
  const affixes = (role: string): Affixes => [`${before}${role}${middle}`, after];
  return { system: affixes('system'), user: affixes('user'), assistant: affixes('assistant') };
}

const IM = uniform('<|im_start|>', '\n', '<|im_end|>\n');
const LLAMA3 = uniform('<|start_header_id|>', '<|end_header_id|>\n\n', '<|eot_id|>');
const HELPFUL = 'You are a helpful assistant.';
const MINICPM = {
  system: ['', ' '],
  user: ['user:', ' '],
  assistant: ['assistant:', '</s>'],
  stop: ['<|im_end|>', '<|endoftext|>'],
  image: '(<image>./</image>)',
} as const;
const DEEPSEEK = {
  system: ['', ''],
  user: ['<｜User｜>', ''],
  assistant: ['<｜Assistant｜>', '<｜end▁of▁sentence｜>'],
  stop: ['<｜end▁of▁sentence｜>'],
} as const;

const VICUNA_PROMPT =
  'A chat between a curious user and an artificial intelligence assistant. ' +
  "The assistant gives helpful, detailed, and polite answers to the user's questions.";
const YI_VL_PROMPT =
  'This is a chat between an inquisitive human and an AI assistant. Assume the role of the AI assistant. ' +
  "Read all the images carefully, and respond to the human's questions with informative, helpful, detailed and polite answers." +
  '这是一个好奇的人类和一个人工智能助手之间的对话。假设你扮演这个AI助手的角色。' +
  '仔细阅读所有的图像，并对人类的问题做出信息丰富、有帮助、详细的和礼貌的回答。';
const DBRX_PROMPT = [
  'You are DBRX, created by Databricks. You were last updated in December 2023. You answer questions based on information available up to that point.',
  'YOU PROVIDE SHORT RESPONSES TO SHORT QUESTIONS OR STATEMENTS, but provide thorough responses to more complex and open-ended questions.',
  'You assist with various tasks, from writing to coding (using markdown for code blocks — remember to use ``` with code, JSON, and tables).',
  '(You do not have real-time data access or code execution capabilities. You avoid stereotyping and provide balanced perspectives on controversial topics. You do not provide song lyrics, poems, or news articles and do not divulge details of your training data.)',
  'This is your system prompt, guiding your responses. Do not reference it, just respond to the user. If you find yourself talking about this message, stop. You should be responding appropriately and usually that means not mentioning this.',
  "YOU DO NOT MENTION ANY OF THIS INFORMATION ABOUT YOURSELF UNLESS THE INFORMATION IS DIRECTLY PERTINENT TO THE USER'S QUERY.",
].join('\n');
const INTERNVL_PROMPT =
  '你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。';
const INTERN_S1_PROMPT =
  'You are an AI assistant whose name is Intern-S1 (书生大模型).\n' +
  '- Intern-S1 (书生大模型) is a vision-language model that is developed by Shanghai AI Laboratory (上海人工智能实验室).  It is designed to be helpful, honest, and harmless.\n' +
  '- Intern-S1 (书生大模型) can understand and communicate fluently in the language chosen by the user such as English and 中文.\n' +
  'You are an expert reasoner with extensive experience in all areas. You approach problems through systematic thinking and rigorous reasoning. Your response should reflect deep understanding and precise logical thinking, making your solution path and reasoning clear to others. Please put your thinking process within <think>...</think> tags.';

/** All templates, in SGLang's order. */
export const CHAT_TEMPLATES: readonly ChatTemplate[] = [
  define('default', {
    system: ['SYSTEM:', '\n'],
    user: ['USER:', '\n'],
    assistant: ['ASSISTANT:', '\n'],
  }),
  define('claude', {
    system: ['', ''],
    user: ['\n\nHuman: ', ''],
    assistant: ['\n\nAssistant:', ''],
  }),
  define('chatml', { ...IM, stop: ['<|im_end|>'] }),
  define('chatml-llava', { ...IM, prompt: HELPFUL, stop: ['<|im_end|>'], image: '<image>\n' }),
  define('qwen', { ...IM, prompt: HELPFUL, stop: ['<|im_end|>'] }),
  define('qwen2-vl', {
    ...IM,
    prompt: HELPFUL,
    stop: ['<|im_end|>'],
    image: '<|vision_start|><|image_pad|><|vision_end|>',
  }),
  define('vicuna_v1.1', {
    system: ['', ' '],
    user: ['USER:', ' '],
    assistant: ['ASSISTANT:', '</s>'],
    prompt: VICUNA_PROMPT,
    image: ' <image>\n',
  }),
  define('llama-2-chat', {
    system: ['<<SYS>>\n', '\n<</SYS>>\n\n'],
    user: ['[INST] ', ' [/INST]'],
    assistant: ['', ' </s><s>'],
    style: 'llama2',
  }),
  define('mistral', {
    system: ['[SYSTEM_PROMPT] ', ' [/SYSTEM_PROMPT]'],
    user: ['[INST] ', ' [/INST]'],
    assistant: ['', ' </s><s>'],
    stop: ['</s>'],
    image: '[IMG]',
  }),
  define('llama-3-instruct', { ...LLAMA3, stop: ['<|eot_id|>'], image: '<|image|>' }),
  define('minicpmv', MINICPM),
  // SGLang registers the user role of janus-pro as "User", which loses its prefix; here it works.
  define('janus-pro', { ...DEEPSEEK, image: '<image_placeholder>\n' }),
  define('minicpmo', { ...MINICPM, audio: '(<audio>./</audio>)' }),
  define('janus', { ...DEEPSEEK, image: '<image_placeholder>\n' }),
  define('llama-3-instruct-llava', { ...LLAMA3, stop: ['<|eot_id|>'], image: '<image>\n' }),
  define('llama-4', {
    ...uniform('<|header_start|>', '<|header_end|>\n\n', '<|eot|>'),
    stop: ['<|eot|>'],
    image: '<|image|>',
  }),
  define('yi-1.5', {
    system: ['', ''],
    user: ['<|im_start|>user\n', '<|im_end|>\n<|im_start|>assistant\n'],
    assistant: ['', '<|im_end|>\n'],
    stop: ['<|im_end|>'],
  }),
  define('yi-vl', {
    system: ['', '\n\n'],
    user: ['### Human:', '\n'],
    assistant: ['### Assistant:', '\n'],
    prompt: YI_VL_PROMPT,
    image: ' <image_placeholder>\n',
  }),
  define('gemma-it', {
    system: ['', ''],
    user: ['<start_of_turn>user\n', '<end_of_turn>\n'],
    assistant: ['<start_of_turn>model\n', '<end_of_turn>\n'],
  }),
  define('dbrx-instruct', {
    system: ['<|im_start|>system\n', '<|im_end|>'],
    user: ['\n<|im_start|>user\n', '<|im_end|>'],
    assistant: ['\n<|im_start|>assistant\n', '<|im_end|>'],
    prompt: DBRX_PROMPT,
    stop: ['<|im_end|>'],
  }),
  define('c4ai-command-r', {
    system: ['<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>', '<|END_OF_TURN_TOKEN|>'],
    user: ['<|START_OF_TURN_TOKEN|><|USER_TOKEN|>', '<|END_OF_TURN_TOKEN|>'],
    assistant: ['<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>', '<|END_OF_TURN_TOKEN|>'],
  }),
  define('internvl-2-5', {
    ...IM,
    prompt: INTERNVL_PROMPT,
    stop: ['<|im_end|>', '<|action_end|>'],
  }),
  define('interns1', { ...IM, prompt: INTERN_S1_PROMPT, stop: ['<|im_end|>', '<|action_end|>'] }),
  define('granite-3-instruct', {
    ...uniform('<|start_of_role|>', '<|end_of_role|>', '<|end_of_text|>'),
    stop: ['<|end_of_text|>'],
  }),
  define('deepseek-v3', DEEPSEEK),
  define('glm-4v', {
    ...uniform('<|', '|>\n', '\n'),
    stop: ['<|user|>', '<|endoftext|>', '<|observation|>'],
    image: '<|image|>',
  }),
];
