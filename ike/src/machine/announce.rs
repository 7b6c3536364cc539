//! What the messages of IKE_SA_INIT and IKE_AUTH tell beside the plain exchange: NAT, hashes, PPKs, certificates
//! that are welcome.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::context::Context;
use super::event::Path;
use crate::auth::SignatureHashes;
use crate::keys::{Spis, nat_detection};
use crate::message::{
    CertificateRequest, KeyExchange, NotifyContent, NotifyType, Payload, PayloadWriter, Payloads,
    SaPayload, TooLong,
};
use crate::policy::CertificateUrlLookup;

/// What every IKE_SA_INIT message with an offer or answer has.
pub(super) struct Parts<'a> {
    pub(super) sa: SaPayload<'a>,
    pub(super) ke: KeyExchange<'a>,
    pub(super) nonce: &'a [u8],
}

pub(super) fn parts<'a>(payloads: &Payloads<'a>) -> Option<Parts<'a>> {
    let (mut sa, mut ke, mut nonce) = (None, None, None);
    for payload in payloads {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "of all payloads these are looked for"
        )]
        match payload {
            Payload::Sa(found) => sa = Some(found),
            Payload::KeyExchange(found) => ke = Some(found),
            Payload::Nonce(found) => nonce = Some(found),
            _ => {}
        }
    }
    Some(Parts {
        sa: sa?,
        ke: ke?,
        nonce: nonce?,
    })
}

pub(super) fn nonce_of<'a>(payloads: &Payloads<'a>) -> Option<&'a [u8]> {
    payloads.iter().find_map(|payload| {
        if let Payload::Nonce(nonce) = payload {
            Some(nonce)
        } else {
            None
        }
    })
}

pub(super) fn cookie_of<'a>(payloads: &Payloads<'a>) -> Option<&'a [u8]> {
    payloads
        .notify(NotifyType::COOKIE)
        .map(|notify| notify.data)
}

pub(super) fn hashes_of(payloads: &Payloads<'_>) -> SignatureHashes {
    let told = payloads.notify(NotifyType::SIGNATURE_HASH_ALGORITHMS);
    told.map_or(SignatureHashes::NONE, |told| {
        SignatureHashes::read(told.data)
    })
}

/// Whether a peer fetches certificates that it is told the address of.
pub(super) fn fetches(payloads: &Payloads<'_>) -> bool {
    let told = payloads.notify(NotifyType::HTTP_CERT_LOOKUP_SUPPORTED);
    told.is_some()
}

pub(super) fn requests_of(payloads: &Payloads<'_>) -> Vec<(u8, Vec<u8>)> {
    payloads
        .iter()
        .filter_map(|payload| {
            if let Payload::CertificateRequest(CertificateRequest { encoding, data }) = payload {
                Some((encoding.0, data.to_vec()))
            } else {
                None
            }
        })
        .collect()
}

/// Adds what both sides tell of themselves.
pub(super) fn announce(
    cx: &Context,
    writer: &mut PayloadWriter,
    spis: Spis,
    path: Path,
    nat: bool,
    intermediate: bool,
    ppk: bool,
) -> Result<(), TooLong> {
    if nat && let Some((source, destination)) = detection(cx, spis, path) {
        writer.notify(NotifyType::NAT_DETECTION_SOURCE_IP, &source)?;
        writer.notify(NotifyType::NAT_DETECTION_DESTINATION_IP, &destination)?;
    }
    if cx.config.fragments.is_some() {
        writer.notify(NotifyType::IKEV2_FRAGMENTATION_SUPPORTED, &[])?;
    }
    writer.notify(
        NotifyType::SIGNATURE_HASH_ALGORITHMS,
        &SignatureHashes::ALL.data(),
    )?;
    if intermediate {
        writer.notify(NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED, &[])?;
    }
    if ppk {
        writer.notify(NotifyType::USE_PPK, &[])?;
    }
    Ok(())
}

pub(super) fn detection(cx: &Context, spis: Spis, path: Path) -> Option<([u8; 20], [u8; 20])> {
    Some((
        nat_detection(&cx.provider, spis, path.local).ok()?,
        nat_detection(&cx.provider, spis, path.remote).ok()?,
    ))
}

/// RFC 7296 §2.23: whether this end or the other is behind a NAT; nothing when the peer does not tell.
pub(super) fn nat_of(
    cx: &Context,
    payloads: &Payloads<'_>,
    spis: Spis,
    path: Path,
) -> Option<(bool, bool)> {
    let (local, remote) = detection(cx, spis, path)?;
    let (mut sources, mut source, mut destination) = (0, false, None);
    for notify in payloads.notifies() {
        match notify.content() {
            // There may be several, one for each address that the peer may use.
            Some(NotifyContent::NatDetectionSource(hash)) => {
                sources += 1;
                source |= *hash == remote;
            }
            Some(NotifyContent::NatDetectionDestination(hash)) => {
                destination = Some(*hash == local);
            }
            _ => {}
        }
    }
    if sources == 0 {
        return None;
    }
    Some((!destination?, !source))
}

/// Whether there is a PPK for this peer, and whether it must be used.
pub(super) fn ppk_for(cx: &Context, remote: IpAddr) -> Option<&super::config::Ppk> {
    let mut ppks = cx.config.ppks.iter();
    ppks.find(|ppk| ppk.peer.is_none_or(|peer| peer == remote))
}

/// Adds a certificate request for the authorities of a rule, and whether addresses of certificates are
/// welcome.
pub(super) fn request_certificates(
    cx: &Context,
    writer: &mut PayloadWriter,
    rule: &crate::policy::KeyExchangeRule,
) -> Result<(), TooLong> {
    let labels = cx.policy.authorities(rule);
    let hashes: Vec<[u8; 20]> = cx.credentials.trust.hashes(labels).copied().collect();
    if !hashes.is_empty() {
        writer.certificate_request(crate::message::CertEncoding::X509_SIGNATURE, &hashes)?;
    }
    if rule.action.certificate_url == CertificateUrlLookup::Allow {
        writer.notify(NotifyType::HTTP_CERT_LOOKUP_SUPPORTED, &[])?;
    }
    Ok(())
}
