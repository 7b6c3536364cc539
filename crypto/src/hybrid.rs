//! Hybrid key exchanges (draft-ietf-tls-ecdhe-mlkem): two exchanges side by side, what they send and what they
//! give put one after the other.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::algorithm::Group;
use crate::error::Failed;
use crate::exchange::{Answer, Exchange, SharedSecret};
use crate::provider::{Begun, Provider};
use crate::random::Random;
use crate::secret::Secret;

/// The two exchanges, in the order in which they stand in messages and secrets.
#[derive(Clone, Copy)]
pub(crate) struct Halves {
    pub(crate) first: Group,
    pub(crate) second: Group,
}

/// The halves of a hybrid; nothing for what is none.
pub(crate) fn halves(group: Group) -> Option<Halves> {
    let of = |first, second| Some(Halves { first, second });
    match group {
        // The exception: ML-KEM stands first here, in messages and in the secret.
        Group::X25519MlKem768 => of(Group::MlKem768, Group::X25519),
        Group::P256MlKem768 => of(Group::P256, Group::MlKem768),
        Group::P384MlKem1024 => of(Group::P384, Group::MlKem1024),
        Group::Modp2048
        | Group::Modp3072
        | Group::Modp4096
        | Group::Modp6144
        | Group::Modp8192
        | Group::P256
        | Group::P384
        | Group::P521
        | Group::X25519
        | Group::X448
        | Group::MlKem512
        | Group::MlKem768
        | Group::MlKem1024 => None,
    }
}

/// TLS writes points of SP 800-186 curves with an octet that says "uncompressed"; IKE and [`Group`] without.
fn has_point_octet(group: Group) -> bool {
    matches!(group, Group::P256 | Group::P384 | Group::P521)
}

fn push(to: &mut Vec<u8>, group: Group, public: &[u8]) {
    if has_point_octet(group) {
        to.push(4);
    }
    to.extend_from_slice(public);
}

/// Both parts of what a peer sent; `len` gives a group's length in that direction.
fn split(halves: Halves, from: &[u8], len: fn(Group) -> usize) -> Result<(&[u8], &[u8]), Failed> {
    let take = |from: &'_ [u8], group| -> Option<(usize, usize)> {
        let octet = usize::from(has_point_octet(group));
        if octet == 1 && from.first() != Some(&4) {
            return None;
        }
        Some((octet, octet + len(group)))
    };
    let (start, end) = take(from, halves.first).ok_or(Failed)?;
    let first = from.get(start..end).ok_or(Failed)?;
    let rest = from.get(end..).ok_or(Failed)?;
    let (start, end) = take(rest, halves.second).ok_or(Failed)?;
    let second = rest.get(start..end).ok_or(Failed)?;
    if rest.len() == end {
        Ok((first, second))
    } else {
        Err(Failed)
    }
}

fn join(first: &SharedSecret, second: &SharedSecret) -> SharedSecret {
    let mut whole = Secret::zeros(first.len() + second.len());
    let both = first.expose().iter().chain(second.expose());
    for (to, from) in whole.expose_mut().iter_mut().zip(both) {
        *to = *from;
    }
    whole
}

struct Begin {
    group: Group,
    halves: Halves,
    first: Box<dyn Exchange>,
    second: Box<dyn Exchange>,
    public: Vec<u8>,
}

impl Exchange for Begin {
    fn group(&self) -> Group {
        self.group
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Failed> {
        let (first, second) = split(self.halves, peer, Group::responder_len)?;
        Ok(join(
            &self.first.finish(first)?,
            &self.second.finish(second)?,
        ))
    }
}

/// Begins both.
pub(crate) fn begin(
    provider: &Provider,
    group: Group,
    halves: Halves,
    random: &mut dyn Random,
) -> Begun<Box<dyn Exchange>> {
    let first = provider.exchange(halves.first, random)?;
    let second = provider.exchange(halves.second, random)?;
    let join = || {
        let (first, second) = (first?, second?);
        let mut public = Vec::with_capacity(group.initiator_len());
        push(&mut public, halves.first, first.public());
        push(&mut public, halves.second, second.public());
        let begin: Box<dyn Exchange> = Box::new(Begin {
            group,
            halves,
            first,
            second,
            public,
        });
        Ok(begin)
    };
    Ok(join())
}

/// Answers both.
pub(crate) fn answer(
    provider: &Provider,
    group: Group,
    halves: Halves,
    peer: &[u8],
    random: &mut dyn Random,
) -> Begun<Answer> {
    let Ok((first, second)) = split(halves, peer, Group::initiator_len) else {
        return Ok(Err(Failed));
    };
    let first = provider.answer(halves.first, first, random)?;
    let second = provider.answer(halves.second, second, random)?;
    let both = || {
        let (first, second) = (first?, second?);
        let mut public = Vec::with_capacity(group.responder_len());
        push(&mut public, halves.first, &first.public);
        push(&mut public, halves.second, &second.public);
        Ok(Answer {
            public,
            secret: join(&first.secret, &second.secret),
        })
    };
    Ok(both())
}
