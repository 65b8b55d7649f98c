// Whom this process believes. The library asks whether a signature is good and drops the answer: its `Curve.verify` is `true`
// for any of 64 bytes. Here it says what was found, and a server's certificate also has to be about the key that the server
// speaks with. The library exports the object; none of its files is changed.
import { Curve, generateSignalPubKey, proto, WA_CERT_DETAILS } from 'baileys';
import { verifySignature } from 'libsignal/src/curve.js';

const { Details } = proto.CertChain.NoiseCertificate;
const library = Curve.sharedKey;
/** The public key of the last agreement. A handshake goes from it to the certificates without a pause. */
let agreed = null;

function isSigned(key, message, signature) {
  try {
    return verifySignature(generateSignalPubKey(key), message, signature) === true;
  } catch {
    return false;
  }
}

/** Certificates begin with a serial number, what phones sign with 6. */
const isCertificate = message => message[0] === 0x08;

function isOfServer(message) {
  try {
    return agreed !== null && Buffer.from(Details.decode(message).key).equals(Buffer.from(agreed));
  } catch {
    return false;
  }
}

/** @param {{testbed: boolean}} how A test build takes anybody's certificates, and nothing else. */
export function establish({ testbed }) {
  Curve.sharedKey = (secret, key) => {
    agreed = key;
    return library(secret, key);
  };
  Curve.verify = (key, message, signature) => {
    if (!isCertificate(message)) return isSigned(key, message, signature);
    if (testbed) return true;
    const isRoot = Buffer.from(key).equals(WA_CERT_DETAILS.PUBLIC_KEY);
    return isSigned(key, message, signature) && (isRoot || isOfServer(message));
  };
}
