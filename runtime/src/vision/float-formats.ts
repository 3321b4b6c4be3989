import { ProjectorError } from './projector-error.ts';

/** `ggml_type` codes. */
const F32 = 0;
const F16 = 1;
const BF16 = 30;

/** Stored numbers as F32; throws `ProjectorError` for quantised ones. */
export function asFloats(bytes: Uint8Array, type: number, name: string): Uint8Array | Float32Array {
  if (type === F32) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const floats = new Float32Array(new ArrayBuffer(bytes.byteLength * 2));
  for (let index = 0; index < floats.length; index += 1) {
    const bits = view.getUint16(index * 2, true);
    if (type === F16) floats[index] = halfToNumber(bits);
    else if (type === BF16) floats[index] = brainToNumber(bits);
    else throw new ProjectorError('INVALID', `the tensor ${name} is quantised, which it never is`);
  }
  return floats;
}

/** IEEE 754 binary16. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** bfloat16: the upper half of a binary32. */
function brainToNumber(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, bits);
  return view.getFloat32(0);
}
