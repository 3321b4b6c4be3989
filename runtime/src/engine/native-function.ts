import type * as koffi from 'koffi';

/** A function of a C library. The type parameter is the caller's declaration of the signature beside it. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as said above
export function declare<F>(library: koffi.LibraryHandle, signature: string): F {
  // SAFETY: the bindings write the TypeScript type beside the C signature; they are the only callers.
  return library.func(signature) as F;
}
