//! What AUTH is over, and AUTH of a shared secret.

use alloc::vec::Vec;

use hostward_crypto::secret::equal;
use hostward_crypto::{Failed, Prf, Provider, Refusal, Secret};

use super::{IkeKeys, Side};
use crate::protect::Authenticated;

/// The octets a side signs (RFC 7296 §2.15).
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// Whose.
    pub side: Side,
    /// The signer's whole IKE_SA_INIT message, as it was on the wire without a marker: for the initiator
    /// the last one sent, with a cookie and after INVALID_KE_PAYLOAD.
    pub message: &'a [u8],
    /// The nonce of the *other* side.
    pub nonce: &'a [u8],
    /// The signer's identification payload without its generic header.
    pub id: &'a [u8],
    /// What IKE_INTERMEDIATE exchanges add, with the message id of the first IKE_AUTH.
    pub intermediate: Option<(&'a IntAuth, u32)>,
}

impl Signed<'_> {
    /// All of them in one. `keys` are those of IKE_AUTH, with a PPK mixed in if one is used.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the provider has no such PRF.
    pub fn octets(&self, provider: &Provider, keys: &IkeKeys) -> Result<Vec<u8>, Refusal> {
        let id = keys.prf_p(provider, self.side)?.code(&[self.id]);
        let id: &[u8] = id.as_ref();
        let mut octets = Vec::with_capacity(self.message.len() + self.nonce.len() + id.len() + 132);
        octets.extend_from_slice(self.message);
        octets.extend_from_slice(self.nonce);
        octets.extend_from_slice(id);
        if let Some((intermediate, message_id)) = self.intermediate {
            intermediate.write(message_id, &mut octets);
        }
        Ok(octets)
    }
}

/// AUTH of a shared secret (RFC 7296 §2.15): `prf(prf(secret, "Key Pad for IKEv2"), octets)`. The same
/// with the MSK in place of the secret would be EAP's.
///
/// # Errors
///
/// [`Refusal`] when the provider has no such PRF.
pub fn psk_auth(
    provider: &Provider,
    prf: Prf,
    secret: &Secret,
    signed: &[u8],
) -> Result<Secret, Refusal> {
    // Seventeen octets of ASCII, without one that ends them.
    let padded = provider
        .prf(prf, secret.expose())?
        .code(&[b"Key Pad for IKEv2"]);
    let code = provider.prf(prf, padded.as_ref())?.code(&[signed]);
    Ok(Secret::copy(code.as_ref()))
}

/// That a peer knows the shared secret: it cannot be had without the check.
#[derive(Debug, PartialEq, Eq)]
pub struct Proof(());

/// Checks a peer's AUTH with a shared secret, whole and in constant time.
///
/// # Errors
///
/// [`Failed`] inside when it does not fit, [`Refusal`] when the provider has no such PRF.
pub fn psk_verify(
    provider: &Provider,
    prf: Prf,
    secret: &Secret,
    signed: &[u8],
    auth: &[u8],
) -> Result<Result<Proof, Failed>, Refusal> {
    let expected = psk_auth(provider, prf, secret, signed)?;
    Ok(if equal(expected.expose(), auth) {
        Ok(Proof(()))
    } else {
        Err(Failed)
    })
}

/// What the IKE_INTERMEDIATE exchanges come to (RFC 9242 §3.3.2), both sides' messages in the order of
/// the exchanges.
#[derive(Clone, Debug, Default)]
pub struct IntAuth {
    initiator: Option<Secret>,
    responder: Option<Secret>,
}

impl IntAuth {
    /// Before the first.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a message that `side` sent. `keys` are those that protected it, not yet those that the
    /// exchange led to.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the provider has no such PRF.
    pub fn add(
        &mut self,
        provider: &Provider,
        keys: &IkeKeys,
        side: Side,
        message: &Authenticated<'_>,
    ) -> Result<(), Refusal> {
        let chain = match side {
            Side::Initiator => &mut self.initiator,
            Side::Responder => &mut self.responder,
        };
        let before = chain.as_ref().map_or(&[][..], Secret::expose);
        let code = keys
            .prf_p(provider, side)?
            .code(&[before, &message.header, message.payloads]);
        *chain = Some(Secret::copy(code.as_ref()));
        Ok(())
    }

    /// Whether there was any exchange.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.initiator.is_none() && self.responder.is_none()
    }

    /// `IntAuth_iN | IntAuth_rN | IKE_AUTH_MID`; nothing when there was no exchange.
    fn write(&self, message_id: u32, octets: &mut Vec<u8>) {
        if self.is_empty() {
            return;
        }
        for chain in [&self.initiator, &self.responder].into_iter().flatten() {
            octets.extend_from_slice(chain.expose());
        }
        octets.extend_from_slice(&message_id.to_be_bytes());
    }
}
