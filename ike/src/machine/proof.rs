//! Proofs in IKE_AUTH: this side's, and the peer's (RFC 7296 §2.15).

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use hostward_crypto::Secret;

use super::context::Context;
use super::event::{Failure, Question};
use super::handshake::Own;
use super::sa::{IkeSa, Phase, Stop};
use crate::auth::{AuthMethod, Authenticated, HowToAuthMe, Proof, Proving, SignatureHashes};
use crate::certificate::{self, Check, Credential, Received, Taken};
use crate::identity::Identity;
use crate::keys::{Side, Signed};
use crate::message::{
    Auth, Configuration, Identification, NotifyType, Payload, PayloadType, PayloadWriter, Payloads,
    TooLong,
};
use crate::policy::{CertificateUrlLookup, KeyExchangeRule, PeerProof};

/// What an IKE_AUTH message has to have.
pub(super) struct Claim<'a> {
    pub(super) id: Identification<'a>,
    pub(super) auth: Auth<'a>,
    /// Whom the initiator wants to speak to.
    pub(super) other: Option<Identification<'a>>,
    pub(super) configuration: Option<Configuration<'a>>,
}

pub(super) fn claim<'a>(payloads: &Payloads<'a>, side: Side) -> Option<Claim<'a>> {
    let (mut idi, mut idr, mut auth, mut configuration) = (None, None, None, None);
    for payload in payloads {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "of all payloads these are looked for"
        )]
        match payload {
            Payload::IdI(id) => idi = Some(id),
            Payload::IdR(id) => idr = Some(id),
            Payload::Auth(found) => auth = Some(found),
            Payload::Configuration(found) => configuration = Some(found),
            _ => {}
        }
    }
    let (id, other) = match side {
        Side::Initiator => (idi?, idr),
        Side::Responder => (idr?, None),
    };
    Some(Claim {
        id,
        auth: auth?,
        other,
        configuration,
    })
}

pub(super) fn failed(kind: NotifyType, why: Failure) -> Stop {
    Stop::Fatal(kind, why)
}

pub(super) fn unproven(text: impl Into<String>) -> Stop {
    failed(
        NotifyType::AUTHENTICATION_FAILED,
        Failure::NotAuthenticated(text.into()),
    )
}

/// The credential that this host shows by a rule.
pub(super) fn credential<'c>(
    cx: &'c Context,
    rule: &KeyExchangeRule,
    identity: &Identity,
    requests: &[(u8, Vec<u8>)],
) -> Option<&'c Credential> {
    let limits = &cx.config.limits.certificates;
    let requests: Vec<_> = requests
        .iter()
        .filter_map(|(encoding, body)| certificate::Request::read(*encoding, body, limits).ok())
        .collect();
    let label = rule.certificate.as_deref();
    certificate::choose(&cx.credentials.own, identity, label, &requests)
}

impl IkeSa {
    /// This side's proof, once it is there: method and data of the AUTH payload.
    pub(super) fn prove(
        &mut self,
        cx: &mut Context,
        rule: &KeyExchangeRule,
        identity: &Identity,
        message_id: u32,
    ) -> Result<(u8, Secret), Stop> {
        let (id, local) = (self.id, self.local_spi());
        let side = self.role;
        let (Some(crypt), Phase::Handshake(own)) = (&self.crypt, &mut self.phase) else {
            return Err(Stop::Wait);
        };
        match &own.proof {
            Own::Made(method, data) => return Ok((*method, data.clone())),
            Own::Asked(..) => return Err(Stop::Wait),
            Own::Failed => {
                let why = Failure::NoProof("there is no signature".into());
                return Err(failed(NotifyType::AUTHENTICATION_FAILED, why));
            }
            Own::None => {}
        }
        let keys = own.ppk_keys.as_ref().unwrap_or(&crypt.keys);
        let octets = Signed {
            side,
            message: &own.init_sent,
            nonce: match side {
                Side::Initiator => &own.nr,
                Side::Responder => &own.ni,
            },
            id: &identity.body(),
            intermediate: Some((&own.intermediate, message_id)),
        }
        .octets(&cx.provider, keys)
        .map_err(|_| failed(NotifyType::AUTHENTICATION_FAILED, Failure::Crypto))?;
        let none = |text: &str| {
            failed(
                NotifyType::AUTHENTICATION_FAILED,
                Failure::NoProof(text.to_string()),
            )
        };
        let (method, data) = if rule.action.auth_me == HowToAuthMe::PresharedKey {
            let key = rule
                .shared_key
                .as_ref()
                .ok_or_else(|| none("no shared key"))?;
            let data = key
                .prove(&cx.provider, keys.prf(), &octets)
                .map_err(|_| none("the provider refused"))?;
            (AuthMethod::SharedKey.number(), data)
        } else {
            let signer = credential(cx, rule, identity, &own.requests)
                .map(|found| Arc::clone(found.signer()))
                .ok_or_else(|| none("no certificate for the identity"))?;
            let choice = rule
                .action
                .auth_me
                .choose(signer.schemes(), own.hashes)
                .map_err(|error| none(&error.to_string()))?;
            let proving = choice
                .sign(&*signer, &octets, &mut *cx.random)
                .map_err(|_| none("the key refused"))?;
            match proving {
                Proving::Done(data) => (choice.method.number(), Secret::new(data)),
                Proving::Later(ticket) => {
                    let question = cx
                        .ask(local, Question::Sign(id, ticket))
                        .ok_or_else(|| none("too many questions"))?;
                    own.proof = Own::Asked(question, choice);
                    return Err(Stop::Wait);
                }
            }
        };
        own.proof = Own::Made(method, data.clone());
        Ok((method, data))
    }

    /// Checks the peer's proof.
    pub(super) fn check_proof(
        &mut self,
        cx: &mut Context,
        rule: &KeyExchangeRule,
        payloads: &Payloads<'_>,
        id: &Identification<'_>,
        auth: (u8, &[u8]),
        message_id: u32,
    ) -> Result<Authenticated, Stop> {
        let identity = Identity::read_body(id.body).map_err(|error| unproven(error.to_string()))?;
        let bypass = rule.action.bypass_ip_validation || self.agreed.nat_remote;
        if !identity.is_at(self.path.remote.ip(), bypass) {
            return Err(unproven("the identity is another address"));
        }
        let side = self.role.other();
        let (number, local) = (self.id, self.local_spi());
        let (Some(crypt), Phase::Handshake(own)) = (&self.crypt, &mut self.phase) else {
            return Err(Stop::Wait);
        };
        let keys = own.ppk_keys.as_ref().unwrap_or(&crypt.keys);
        let octets = Signed {
            side,
            message: &own.init_received,
            nonce: match side {
                Side::Initiator => &own.nr,
                Side::Responder => &own.ni,
            },
            id: id.body,
            intermediate: Some((&own.intermediate, message_id)),
        }
        .octets(&cx.provider, keys)
        .map_err(|_| failed(NotifyType::AUTHENTICATION_FAILED, Failure::Crypto))?;
        if rule.peer_proof() == PeerProof::SharedKey {
            let key = rule
                .shared_key
                .as_ref()
                .ok_or_else(|| unproven("no shared key"))?;
            return Proof::SharedKey(key, keys.prf(), &identity)
                .verify(&cx.provider, auth.0, auth.1, &octets)
                .map_err(|error| unproven(error.to_string()));
        }
        let Some(work) = &mut own.work else {
            return Err(Stop::Wait);
        };
        if work.received.is_none() {
            let lookup = rule.action.certificate_url != CertificateUrlLookup::Disallow;
            let mut received = Received::new(cx.config.limits.certificates);
            for payload in payloads {
                let Payload::Certificate(certificate) = payload else {
                    continue;
                };
                match received.payload(certificate.encoding.0, certificate.data, lookup) {
                    Ok(Taken::Fetch(at, url)) => {
                        if let Some(id) = cx.ask(local, Question::Certificate(number, url)) {
                            work.fetching.push((id, at));
                        } else {
                            return Err(unproven("too many questions"));
                        }
                    }
                    Ok(Taken::Kept) => {}
                    Err(error) => return Err(unproven(error.to_string())),
                }
            }
            work.received = Some(received);
        }
        if !work.fetching.is_empty() {
            return Err(Stop::Wait);
        }
        let Some(received) = &work.received else {
            return Err(Stop::Wait);
        };
        let bound = Check {
            provider: &cx.provider,
            trust: &cx.credentials.trust,
            authorities: cx.policy.authorities(rule),
            time: cx.now.wall,
            revocation: rule.action.revocation,
            extended_key_usage: rule.action.extended_key_usage,
        }
        .bind(received, &identity)
        .map_err(|error| unproven(error.to_string()))?;
        Proof::Signature(&bound, SignatureHashes::ALL)
            .verify(&cx.provider, auth.0, auth.1, &octets)
            .map_err(|error| unproven(error.to_string()))
    }

    /// Adds identity, certificates and proof.
    pub(super) fn write_proof(
        &self,
        cx: &Context,
        writer: &mut PayloadWriter,
        rule: &KeyExchangeRule,
        identity: &Identity,
        proof: (u8, &Secret),
    ) -> Result<(), TooLong> {
        let payload = match self.role {
            Side::Initiator => PayloadType::ID_I,
            Side::Responder => PayloadType::ID_R,
        };
        writer.payload(payload, &[&identity.body()])?;
        if rule.action.auth_me != HowToAuthMe::PresharedKey
            && let Phase::Handshake(own) = &self.phase
            && let Some(credential) = credential(cx, rule, identity, &own.requests)
        {
            for body in credential.payloads_for(own.fetches) {
                writer.payload(PayloadType::CERT, &[&body])?;
            }
        }
        writer.payload(PayloadType::AUTH, &[&[proof.0, 0, 0, 0], proof.1.expose()])?;
        Ok(())
    }
}
