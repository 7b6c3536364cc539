//! Signatures, made here or elsewhere, and the two forms of ECDSA's.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::algorithm::{Curve, Scheme};
use crate::error::Failed;
use crate::random::Random;

/// Names a signature that is being made elsewhere. Whoever holds the key chooses it, so tickets of two keys may
/// be the same: an answer belongs to a key and a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a number, and nothing else")]
pub struct Ticket(pub u64);

/// What asking for a signature gives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it is there or it is not")]
pub enum Signing {
    /// The signature.
    Done(Vec<u8>),
    /// The key is elsewhere, say in an HSM: the host will have the answer for this ticket later and hand
    /// it to whoever asked. Nothing waits for it here.
    Later(Ticket),
}

/// A private key for signatures, held here or elsewhere.
pub trait Signer: Send + Sync {
    /// The public key as a SubjectPublicKeyInfo in DER (RFC 5280 §4.1), by which certificates are matched.
    fn public_key(&self) -> &[u8];

    /// What it can do, most wanted first.
    fn schemes(&self) -> &[Scheme];

    /// Signs, or asks for it to be done.
    ///
    /// # Errors
    ///
    /// [`Failed`] when the scheme is not among [`schemes`](Self::schemes) or the library refuses.
    fn sign(
        &self,
        scheme: Scheme,
        message: &[u8],
        random: &mut dyn Random,
    ) -> Result<Signing, Failed>;
}

impl fmt::Debug for dyn Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({:?})", self.schemes())
    }
}

/// A private key that another process, a token or a module holds: every signature is a request, queued
/// here until the host has it answered.
///
/// ```
/// use hostward_crypto::algorithm::{Curve, Hash, Scheme};
/// use hostward_crypto::signature::{Remote, Signer, Signing};
/// # struct NoRandom;
/// # impl hostward_crypto::Random for NoRandom {
/// #     fn fill(&mut self, _: &mut [u8]) -> Result<(), hostward_crypto::Failed> { Err(hostward_crypto::Failed) }
/// # }
/// let scheme = Scheme::Ecdsa(Curve::P256, Hash::Sha256);
/// let key = Remote::new(vec![0x30, 0x00], vec![scheme], |request| {
///     // Over to the module; its answer carries the ticket back.
///     assert_eq!(request.message, b"octets to be signed");
///     Ok(())
/// });
/// let signing = key.sign(scheme, b"octets to be signed", &mut NoRandom)?;
/// assert!(matches!(signing, Signing::Later(_)));
/// # Ok::<(), hostward_crypto::Failed>(())
/// ```
pub struct Remote<F> {
    public_key: Vec<u8>,
    schemes: Vec<Scheme>,
    next: core::sync::atomic::AtomicUsize,
    send: F,
}

/// What a remote key is asked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SignRequest<'a> {
    /// Goes back with the answer.
    pub ticket: Ticket,
    /// How to sign.
    pub scheme: Scheme,
    /// What to sign: not hashed yet.
    pub message: &'a [u8],
}

impl<F> Remote<F>
where
    F: Fn(SignRequest<'_>) -> Result<(), Failed> + Send + Sync,
{
    /// A key elsewhere, whose tickets count from 1: its SubjectPublicKeyInfo, what it can do, and how to send it a request. `send` must
    /// not wait; an error from it (the queue is full, the module is gone) is the error of
    /// [`sign`](Signer::sign).
    pub fn new(public_key: Vec<u8>, schemes: Vec<Scheme>, send: F) -> Self {
        Self {
            public_key,
            schemes,
            next: core::sync::atomic::AtomicUsize::new(1),
            send,
        }
    }
}

impl<F> fmt::Debug for Remote<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({:?})", self.schemes)
    }
}

impl<F> Signer for Remote<F>
where
    F: Fn(SignRequest<'_>) -> Result<(), Failed> + Send + Sync,
{
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn schemes(&self) -> &[Scheme] {
        &self.schemes
    }

    fn sign(
        &self,
        scheme: Scheme,
        message: &[u8],
        _random: &mut dyn Random,
    ) -> Result<Signing, Failed> {
        if !self.schemes.contains(&scheme) {
            return Err(Failed);
        }
        let number = self
            .next
            .fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        let ticket = Ticket(number as u64);
        (self.send)(SignRequest {
            ticket,
            scheme,
            message,
        })?;
        Ok(Signing::Later(ticket))
    }
}

/// The DER form of an ECDSA signature (RFC 3279 §2.2.3) from the raw one, in which both numbers
/// stand with the length of the field (RFC 4754 §7).
///
/// # Errors
///
/// [`Failed`] when the raw form has not twice the length of the curve's field.
pub fn ecdsa_der(curve: Curve, raw: &[u8]) -> Result<Vec<u8>, Failed> {
    if raw.len() != 2 * curve.len() {
        return Err(Failed);
    }
    let mut body = Vec::with_capacity(raw.len() + 6);
    for number in raw.chunks(curve.len()) {
        let zeros = number.iter().take_while(|octet| **octet == 0).count();
        // A zero octet stands before a high bit, and for the number zero.
        let digits = number.get(zeros..).unwrap_or(&[]);
        let sign = digits.first().is_none_or(|octet| octet & 0x80 != 0);
        body.push(2);
        body.push((digits.len() + usize::from(sign)) as u8);
        if sign {
            body.push(0);
        }
        body.extend_from_slice(digits);
    }
    let mut der = Vec::with_capacity(body.len() + 3);
    der.push(0x30);
    if body.len() >= 0x80 {
        der.push(0x81);
    }
    der.push(body.len() as u8);
    der.append(&mut body);
    Ok(der)
}

/// The raw form of an ECDSA signature from the DER one.
///
/// # Errors
///
/// [`Failed`] when it is not DER of two numbers that fit the curve's field.
pub fn ecdsa_raw(curve: Curve, der: &[u8]) -> Result<Vec<u8>, Failed> {
    fn number<'a>(from: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
        let (head, rest) = from.split_first_chunk::<2>()?;
        let [2, size] = *head else { return None };
        let (digits, rest) = rest.split_at_checked(usize::from(size))?;
        *from = rest;
        // X.690 §8.3: the shortest form, and not negative.
        match digits {
            [0, next, ..] if next & 0x80 == 0 => None,
            [0, digits @ ..] => Some(digits),
            [first, ..] if first & 0x80 == 0 => Some(digits),
            _ => None,
        }
        .filter(|digits| digits.len() <= len)
    }
    let read = || {
        let mut body = match der {
            [0x30, 0x81, size, body @ ..] if *size >= 0x80 && body.len() == usize::from(*size) => {
                body
            }
            [0x30, size, body @ ..] if *size < 0x80 && body.len() == usize::from(*size) => body,
            _ => return None,
        };
        let len = curve.len();
        let mut raw = Vec::with_capacity(2 * len);
        for _ in 0..2 {
            let digits = number(&mut body, len)?;
            raw.resize(raw.len() + len - digits.len(), 0);
            raw.extend_from_slice(digits);
        }
        body.is_empty().then_some(raw)
    };
    read().ok_or(Failed)
}

impl<S: Signer + ?Sized> Signer for Box<S> {
    fn public_key(&self) -> &[u8] {
        (**self).public_key()
    }

    fn schemes(&self) -> &[Scheme] {
        (**self).schemes()
    }

    fn sign(
        &self,
        scheme: Scheme,
        message: &[u8],
        random: &mut dyn Random,
    ) -> Result<Signing, Failed> {
        (**self).sign(scheme, message, random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    // RFC 4754 §7: the raw form.
    #[test]
    fn both_forms_of_ecdsa_signatures() {
        for (curve, first, second) in [
            (Curve::P256, 0x80, 0x01),
            (Curve::P384, 0x7f, 0x80),
            (Curve::P521, 0x01, 0xff),
            (Curve::P521, 0x00, 0x00),
        ] {
            let len = curve.len();
            let mut raw = vec![0; 2 * len];
            raw[0] = first;
            raw[len - 1] = 7;
            raw[2 * len - 1] = second;
            let der = ecdsa_der(curve, &raw).unwrap();
            assert_eq!(ecdsa_raw(curve, &der).unwrap(), raw);
            assert!(ecdsa_raw(curve, &der[..der.len() - 1]).is_err());
            assert!(ecdsa_der(curve, &raw[1..]).is_err());
        }
        // A number that is negative, one that is not the shortest, one that is too long for the field.
        for bad in [
            &[0x30, 6, 2, 1, 0x80, 2, 1, 1][..],
            &[0x30, 7, 2, 2, 0, 1, 2, 1, 1],
            &[0x30, 5, 2, 0, 2, 1, 1],
            &[0x30, 0x81, 6, 2, 1, 1, 2, 1, 1],
            &[],
        ] {
            assert_eq!(ecdsa_raw(Curve::P256, bad), Err(Failed));
        }
        let mut long = vec![0x30, 38, 2, 33];
        long.extend([1; 33]);
        long.extend([2, 1, 1]);
        assert_eq!(ecdsa_raw(Curve::P256, &long), Err(Failed));
    }
}
