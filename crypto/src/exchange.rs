//! Agreeing on a secret: Diffie-Hellman and key encapsulation behind one shape.
//!
//! Both have a side that sends first and one that answers. For Diffie-Hellman the sides do the
//! same; for ML-KEM the first sends an encapsulation key and the other answers with a ciphertext.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::algorithm::Group;
use crate::error::Failed;
use crate::secret::Secret;

/// What both sides know in the end; see [`Group::secret_len`] for its form.
pub type SharedSecret = Secret;

/// The private half of an exchange that was begun. Used once: [`finish`](Self::finish) takes it,
/// and dropping it wipes it as far as the library does.
pub trait Exchange: Send {
    /// Which exchange it is.
    fn group(&self) -> Group;

    /// What goes to the peer: [`initiator_len`](Group::initiator_len) octets.
    fn public(&self) -> &[u8];

    /// The secret, from what the peer sent.
    ///
    /// # Errors
    ///
    /// [`Failed`] when the peer's octets are no valid public value or ciphertext of the group:
    /// wrong length, not on the curve, of small order, 0, 1 or p-1 (RFC 6989 §2), an all-zero
    /// result (RFC 7748 §6). A wrong ML-KEM ciphertext of the right length gives another secret
    /// instead (FIPS 203 §6.3).
    fn finish(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Failed>;
}

/// The answering side's result: what goes to the peer, and the secret.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "there is nothing more to an answer"
)]
pub struct Answer {
    /// What goes to the peer: [`responder_len`](Group::responder_len) octets.
    pub public: Vec<u8>,
    /// What both sides know.
    pub secret: SharedSecret,
}
