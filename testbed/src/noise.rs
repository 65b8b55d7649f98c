//! The server's side of WhatsApp's Noise handshakes: XX for a client that knows nothing of us, IK for one that kept our
//! static key. The parts come from `wacore-noise`; only the order of a responder is ours.

use buffa::Message as _;
use rusqlite::Connection;
use wacore::libsignal::protocol::{KeyPair, PrivateKey, PublicKey};
use wacore_binary::consts::{NOISE_PATTERN_IK, NOISE_PATTERN_XX, WA_CONN_HEADER};
use wacore_noise::{NoiseCipher, NoiseHandshake};
use waproto::whatsapp as wa;

use crate::accounts::{public, rng};
use crate::error::{Result, protocol, signal};
use crate::store;

/// The server's long-lived key and the chain of certificates that vouches for it. Its root is our own: a client that
/// checks signatures refuses it.
pub(crate) struct ServerKeys {
    identity: KeyPair,
    chain: Vec<u8>,
    /// The public key of the root, for a client whose trust anchor can be set.
    pub root: Vec<u8>,
}

impl ServerKeys {
    /// Takes the keys from the database, or makes them there: a client that resumes expects the same.
    pub fn load(db: &Connection) -> Result<Self> {
        if let (Some(private), Some(public), Some(chain), Some(root)) = (
            store::meta(db, "noise_private")?,
            store::meta(db, "noise_public")?,
            store::meta(db, "noise_chain")?,
            store::meta(db, "noise_root")?,
        ) {
            let identity = KeyPair::new(
                PublicKey::from_djb_public_key_bytes(&public).map_err(signal)?,
                PrivateKey::deserialize(&private).map_err(signal)?,
            );
            return Ok(Self { identity, chain, root });
        }
        let mut rng = rng();
        let (root, identity) = (KeyPair::generate(&mut rng), KeyPair::generate(&mut rng));
        let chain = certificate_chain(&root, &identity)?;
        store::set_meta(db, "noise_private", identity.private_key.serialize())?;
        store::set_meta(db, "noise_public", &public(&identity))?;
        store::set_meta(db, "noise_chain", &chain)?;
        store::set_meta(db, "noise_root", &public(&root))?;
        let root = public(&root);
        Ok(Self { identity, chain, root })
    }
}

fn certificate_chain(root: &KeyPair, leaf: &KeyPair) -> Result<Vec<u8>> {
    use wa::cert_chain::NoiseCertificate;
    use wa::cert_chain::noise_certificate::Details;

    let intermediate = KeyPair::generate(&mut rng());
    let details = |serial, issuer, key: &KeyPair| {
        Details {
            serial: Some(serial),
            issuer_serial: Some(issuer),
            key: Some(public(key)),
            not_before: Some(1_700_000_000),
            not_after: Some(4_000_000_000),
        }
        .encode_to_vec()
    };
    let signed = |details: Vec<u8>, by: &KeyPair| -> Result<NoiseCertificate> {
        let signature = by.calculate_signature(&details, &mut rng()).map_err(signal)?.to_vec();
        Ok(NoiseCertificate { details: Some(details), signature: Some(signature) })
    };
    let chain = wa::CertChain {
        leaf: buffa::MessageField::some(signed(details(2, 1, leaf), &intermediate)?),
        intermediate: buffa::MessageField::some(signed(details(1, 0, &intermediate), root)?),
    };
    Ok(chain.encode_to_vec())
}

/// Which handshake a client chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    Xx,
    Ik,
}

/// A finished handshake.
pub(crate) struct Opened {
    pub from_client: NoiseCipher,
    pub to_client: NoiseCipher,
    /// The client's static key: a companion is recognised by it.
    pub client: Vec<u8>,
    pub payload: wa::ClientPayload,
    pub pattern: Pattern,
}

/// A handshake whose answer waits for the client's last word (XX).
pub(crate) struct Greeted {
    noise: NoiseHandshake,
    ephemeral: KeyPair,
}

/// What follows the client's hello.
pub(crate) enum Answer {
    /// Send this; the client's finish decides.
    Continue(Vec<u8>, Box<Greeted>),
    /// Send this; the handshake is over.
    Done(Vec<u8>, Box<Opened>),
}

impl ServerKeys {
    /// Answers a client's hello, whichever pattern it opens.
    pub fn answer(&self, hello: &[u8]) -> Result<Answer> {
        let hello = wa::HandshakeMessage::decode_from_slice(hello).map_err(protocol)?;
        let hello = hello.client_hello.into_option().ok_or_else(|| protocol("no client hello"))?;
        let theirs = key(hello.ephemeral)?;
        let ephemeral = KeyPair::generate(&mut rng());
        let Some(sealed_static) = hello.r#static else {
            return self.answer_xx(&theirs, ephemeral);
        };
        let sealed_payload = hello.payload.ok_or_else(|| protocol("an IK hello without payload"))?;

        let mut noise = NoiseHandshake::new(NOISE_PATTERN_IK, &WA_CONN_HEADER).map_err(protocol)?;
        noise.authenticate(&public(&self.identity));
        noise.authenticate(&theirs);
        mix(&mut noise, &self.identity, &theirs)?;
        let client = key(noise.decrypt(&sealed_static).ok())?;
        mix(&mut noise, &self.identity, &client)?;
        let payload = noise.decrypt(&sealed_payload).map_err(protocol)?;
        noise.authenticate(&public(&ephemeral));
        mix(&mut noise, &ephemeral, &theirs)?;
        mix(&mut noise, &ephemeral, &client)?;
        let chain = noise.encrypt(&self.chain).map_err(protocol)?;
        let answer = server_hello(&ephemeral, None, chain);
        Ok(Answer::Done(answer, Box::new(opened(noise, client, &payload, Pattern::Ik)?)))
    }

    fn answer_xx(&self, theirs: &[u8], ephemeral: KeyPair) -> Result<Answer> {
        let mut noise = NoiseHandshake::new(NOISE_PATTERN_XX, &WA_CONN_HEADER).map_err(protocol)?;
        noise.authenticate(theirs);
        noise.authenticate(&public(&ephemeral));
        mix(&mut noise, &ephemeral, theirs)?;
        let sealed_static = noise.encrypt(&public(&self.identity)).map_err(protocol)?;
        mix(&mut noise, &self.identity, theirs)?;
        let chain = noise.encrypt(&self.chain).map_err(protocol)?;
        let answer = server_hello(&ephemeral, Some(sealed_static), chain);
        Ok(Answer::Continue(answer, Box::new(Greeted { noise, ephemeral })))
    }
}

impl Greeted {
    /// Takes the client's finish.
    pub fn finish(mut self, finish: &[u8]) -> Result<Opened> {
        let finish = wa::HandshakeMessage::decode_from_slice(finish).map_err(protocol)?;
        let finish = finish.client_finish.into_option().ok_or_else(|| protocol("no client finish"))?;
        let sealed_static = finish.r#static.ok_or_else(|| protocol("a finish without static key"))?;
        let client = key(self.noise.decrypt(&sealed_static).ok())?;
        mix(&mut self.noise, &self.ephemeral, &client)?;
        let sealed = finish.payload.ok_or_else(|| protocol("a finish without payload"))?;
        let payload = self.noise.decrypt(&sealed).map_err(protocol)?;
        opened(self.noise, client, &payload, Pattern::Xx)
    }
}

fn opened(noise: NoiseHandshake, client: Vec<u8>, payload: &[u8], pattern: Pattern) -> Result<Opened> {
    // The first cipher is the initiator's, so for a responder it is the one that reads.
    let (from_client, to_client) = noise.finish().map_err(protocol)?;
    let payload = wa::ClientPayload::decode_from_slice(payload).map_err(protocol)?;
    Ok(Opened { from_client, to_client, client, payload, pattern })
}

fn mix(noise: &mut NoiseHandshake, ours: &KeyPair, theirs: &[u8]) -> Result<()> {
    noise.mix_shared_secret(ours.private_key.serialize(), theirs).map_err(protocol)
}

fn key(bytes: Option<Vec<u8>>) -> Result<Vec<u8>> {
    bytes.filter(|b| b.len() == 32).ok_or_else(|| protocol("a key that is not 32 bytes, or does not open"))
}

fn server_hello(ephemeral: &KeyPair, sealed_static: Option<Vec<u8>>, payload: Vec<u8>) -> Vec<u8> {
    let hello = wa::handshake_message::ServerHello {
        ephemeral: Some(public(ephemeral)),
        r#static: sealed_static,
        payload: Some(payload),
        ..Default::default()
    };
    wa::HandshakeMessage { server_hello: buffa::MessageField::some(hello), ..Default::default() }
        .encode_to_vec()
}
