import { demandFilled, demandTextOrBytes } from './call.ts';
import {
  cipherOf,
  openContent,
  readCertificate,
  signatureOf,
  type Certificate,
  type CertificateKind,
} from './certificate.ts';
import { readContent, type FileContent } from './content.ts';
import { checkAffirmed, checkBinding, checkClock, checkIdentity, checkRevocation } from './judge.ts';
import { answering, demand, type VerdictCode, demandForm } from './refusal.ts';
import { checkSignature, rawFromDer } from './signature.ts';
import { utf8Bytes } from './text.ts';
import { demandInUse, findKey, type TrustedKey } from './trust.ts';
import {
  blankVerdict,
  openSession,
  type Session,
  type Verdict,
  type VerifyMachineOptions,
  type VerifyOptions,
} from './verdict.ts';

/**
 * Judges a licence file (`LICENSE FILE`, docs/formats/license-file.md). Every reason to refuse has its own code, in the
 * order of the format page.
 * @throws TypeError that names the argument or option, for a mistake in the call
 */
export function verifyLicenseFile(file: string | Uint8Array, options: VerifyOptions): Verdict {
  return verifyFile({ kind: 'license', file, fingerprint: '' }, openSession(options));
}

/**
 * Judges a machine file (`MACHINE FILE`): as a licence file, and that it belongs to the machine with this fingerprint.
 * @throws TypeError as `verifyLicenseFile`, and when the fingerprint is left out
 */
export function verifyMachineFile(file: string | Uint8Array, options: VerifyMachineOptions): Verdict {
  const session = openSession(options);
  const { fingerprint } = options;
  demandFilled(fingerprint, 'fingerprint', 'that of this machine');
  return verifyFile({ kind: 'machine', file, fingerprint }, session);
}

interface Question {
  readonly kind: CertificateKind;
  readonly file: string | Uint8Array;
  readonly fingerprint: string;
}

/** A file that is known to come from the issuer, unchanged. */
interface GenuineFile {
  readonly certificate: Certificate;
  readonly key: TrustedKey;
  readonly content: FileContent;
}

function verifyFile(question: Question, session: Session): Verdict {
  demandTextOrBytes(question.file, 'file');
  const blank = blankVerdict(session);
  return answering(blank, () =>
    judge(readGenuine(question, session), question.fingerprint, { session, blank }),
  );
}

/** Steps 1 to 5: after them the content is the issuer's. */
function readGenuine(question: Question, session: Session): GenuineFile {
  // 1. One block, strict all the way: nothing in it can be changed without a trace.
  const certificate = readCertificate(question.file, question.kind);
  // 2. The key is found by name and decides the algorithm; `alg` only has to agree.
  demand(!certificate.hasChain, 'GRANT_INVALID', 'files under a site grant are not read by this entry point');
  const { environment } = session;
  const key = findKey(session.trust, { kid: certificate.kid, purpose: 'license', environment });
  if (key.state === 'compromised') checkAffirmed(key.kid, certificate.enc, session);
  const cipher = cipherOf(certificate.alg, key.algorithm);
  // 3. Nothing is decrypted before this holds.
  checkFileSignature(certificate, key, session);
  // 4. Shares hide the fingerprint that is part of the content key.
  demand(!certificate.hasShares, 'BINDING_NOT_SUPPORTED', 'the file is bound to a choice of components');
  const { licenseKey } = session;
  const json = openContent(certificate.enc, cipher, { licenseKey, fingerprint: question.fingerprint });
  // 5. What it says about itself must agree with how it came.
  const content = readContent(json, question.kind);
  const { meta } = content;
  demandForm(meta.kid === certificate.kid, 'the signed key name differs from the one outside');
  const inTime = meta.issuedAtMs >= key.notBeforeMs && meta.issuedAtMs <= key.notAfterMs;
  demandInUse(inTime, key.kid);
  return { certificate, key, content };
}

function checkFileSignature(certificate: Certificate, key: TrustedKey, session: Session): void {
  const bytes = signatureOf(certificate);
  const signature = key.algorithm === 'ES256' ? rawFromDer(bytes) : bytes;
  const message = utf8Bytes(`${certificate.kind}/${certificate.enc}`);
  checkSignature(key, { message, signature }, session.verifiers);
}

/** Steps 6 to 9: whether the genuine file counts here and now. Every answer carries what the issuer signed. */
function judge(
  file: GenuineFile,
  fingerprint: string,
  context: { readonly session: Session; readonly blank: Verdict },
): Verdict {
  const { session } = context;
  const known = withContent(context.blank, file.content);
  return answering(known, () => {
    checkIdentity(file.content, file.key, session);
    checkBinding(file.content, fingerprint);
    return judgeTime(file, session, known);
  });
}

function judgeTime(file: GenuineFile, session: Session, known: Verdict): Verdict {
  const { meta, license } = file.content;
  const { timeMs, inGrace, state } = checkClock(
    {
      issuedAtMs: meta.issuedAtMs,
      expiresAtMs: meta.expiresAtMs,
      licenseExpiresAtMs: license.expiresAtMs ?? Infinity,
    },
    session,
  );
  const seen = { ...known, state };
  return answering(seen, () => {
    const warning = checkRevocation(file.content, file.certificate.enc, { session, timeMs });
    return { ...seen, valid: true, ...remark(inGrace ? 'EXPIRED_IN_GRACE' : warning) };
  });
}

const REMARKS = {
  VALID: 'the file is valid',
  EXPIRED_IN_GRACE: 'the licence has expired; the file still counts',
  LIST_STALE: 'the file is valid; there is a newer revocation list than the one held',
} as const;

function remark(warning: VerdictCode | undefined): { readonly code: VerdictCode; readonly message: string } {
  const code = warning === 'EXPIRED_IN_GRACE' || warning === 'LIST_STALE' ? warning : 'VALID';
  return { code, message: REMARKS[code] };
}

function withContent(blank: Verdict, content: FileContent): Verdict {
  const { meta, license, machine, entitlements } = content;
  return {
    ...blank,
    enforcement: meta.enforcement,
    dev: meta.dev,
    fileId: meta.fileId,
    expiresAtMs: meta.expiresAtMs,
    license,
    machine,
    entitlements,
    content,
  };
}
