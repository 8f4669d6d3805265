import type { PreparedCheckout } from './checkout-prepare.ts';

/** The way to a signature: a custodian, asynchronous, outside any transaction. */
export interface Signer {
  /**
   * Signs with the key of this kid: 64 raw bytes, verified with the public key before they are returned.
   * @throws Fault SIGNER_UNAVAILABLE, SIGNER_BUSY
   */
  sign(kid: string, message: Buffer): Promise<Buffer>;
}

/** A prepared file with its signature. Only `sign` makes one, and only a commit lets its certificate out. */
export class SignedCheckout {
  readonly prepared: PreparedCheckout;
  readonly certificate: string;

  private constructor(prepared: PreparedCheckout, certificate: string) {
    this.prepared = prepared;
    this.certificate = certificate;
  }

  /** Has the prepared bytes signed. @throws Fault SIGNER_UNAVAILABLE, SIGNER_BUSY */
  static async sign(signer: Signer, prepared: PreparedCheckout): Promise<SignedCheckout> {
    const signature = await signer.sign(prepared.kid, prepared.file.signingInput);
    return new SignedCheckout(prepared, prepared.file.finish(signature));
  }
}
