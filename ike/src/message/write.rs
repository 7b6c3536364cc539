//! Writing payloads into a bounded buffer.

use alloc::vec::Vec;

use super::error::TooLong;
use super::header::Header;
use super::notify::Gateway;
use super::number::{
    AuthMethod, CertEncoding, CfgAttributeType, CfgType, IdType, NotifyType, PayloadType,
    ProtocolId, SignatureHash,
};
use crate::proposal::Proposal;
use crate::selector::Selector;

/// A chain of payloads in the making: each call adds one. What does not fit is not added, and the chain
/// stays as it was.
///
/// ```
/// use hostward_ike::message::{Limits, NotifyType, Payloads, PayloadWriter};
///
/// let mut writer = PayloadWriter::new(1024);
/// writer.nonce(&[7; 32])?;
/// writer.notify(NotifyType::INITIAL_CONTACT, &[])?;
/// let read = Payloads::parse(writer.first(), writer.octets(), &Limits::default()).unwrap();
/// assert_eq!(read.iter().count(), 2);
/// # Ok::<(), hostward_ike::message::TooLong>(())
/// ```
#[derive(Clone, Debug)]
pub struct PayloadWriter {
    octets: Vec<u8>,
    first: PayloadType,
    /// Where the last payload's next payload is.
    link: usize,
    limit: usize,
}

impl PayloadWriter {
    /// An empty chain that never grows beyond `limit` octets; at most 65,000 make sense.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            octets: Vec::new(),
            first: PayloadType::NO_NEXT_PAYLOAD,
            link: 0,
            limit,
        }
    }

    /// The type of the first payload.
    #[must_use]
    pub const fn first(&self) -> PayloadType {
        self.first
    }

    /// The payloads.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// Adds a payload whose body is these parts, one after the other.
    ///
    /// # Errors
    ///
    /// [`TooLong`], as for every payload here.
    pub fn payload(&mut self, kind: PayloadType, parts: &[&[u8]]) -> Result<&mut Self, TooLong> {
        let too_long = TooLong { limit: self.limit };
        let body: usize = parts.iter().map(|part| part.len()).sum();
        let length = u16::try_from(body + 4).map_err(|_| too_long)?;
        if self.octets.len() + usize::from(length) > self.limit {
            return Err(too_long);
        }
        if self.octets.is_empty() {
            self.first = kind;
        } else if let Some(next) = self.octets.get_mut(self.link) {
            *next = kind.0;
        }
        self.link = self.octets.len();
        self.octets.extend_from_slice(&[0, 0]);
        self.octets.extend_from_slice(&length.to_be_bytes());
        for part in parts {
            self.octets.extend_from_slice(part);
        }
        Ok(self)
    }

    /// Adds an SA payload. Proposals are numbered by their place, but for a single one, which keeps its
    /// number: an answer has the number of what it chose (RFC 7296 §3.3.1).
    ///
    /// # Errors
    ///
    /// [`TooLong`].
    pub fn sa(&mut self, proposals: &[Proposal]) -> Result<&mut Self, TooLong> {
        let body = crate::proposal::write(proposals).ok_or(TooLong { limit: self.limit })?;
        self.payload(PayloadType::SA, &[&body])
    }

    /// Adds a key exchange payload.
    ///
    /// # Errors
    ///
    /// [`TooLong`].
    pub fn key_exchange(&mut self, group: u16, data: &[u8]) -> Result<&mut Self, TooLong> {
        self.payload(PayloadType::KE, &[&group.to_be_bytes(), &[0, 0], data])
    }

    /// Adds an identification payload, IDi or IDr.
    ///
    /// # Errors
    ///
    /// [`TooLong`].
    pub fn identification(
        &mut self,
        initiator: bool,
        kind: IdType,
        data: &[u8],
    ) -> Result<&mut Self, TooLong> {
        let payload = if initiator {
            PayloadType::ID_I
        } else {
            PayloadType::ID_R
        };
        self.payload(payload, &[&[kind.0, 0, 0, 0], data])
    }

    /// Adds a certificate payload.
    ///
    /// # Errors
    ///
    /// [`TooLong`].
    pub fn certificate(
        &mut self,
        encoding: CertEncoding,
        data: &[u8],
    ) -> Result<&mut Self, TooLong> {
        self.payload(PayloadType::CERT, &[&[encoding.0], data])
    }

    /// Adds a certificate request payload for these authorities, by the SHA-1 of their
    /// SubjectPublicKeyInfo.
    ///
    /// # Errors
    ///
    /// [`TooLong`].
    pub fn certificate_request(
        &mut self,
        encoding: CertEncoding,
        authorities: &[[u8; 20]],
    ) -> Result<&mut Self, TooLong> {
        self.payload(
            PayloadType::CERTREQ,
            &[&[encoding.0], authorities.as_flattened()],
        )
    }

    /// Adds an authentication payload.
    ///
    /// # Errors
    ///
    /// [`TooLong`].
    pub fn auth(&mut self, method: AuthMethod, data: &[u8]) -> Result<&mut Self, TooLong> {
        self.payload(PayloadType::AUTH, &[&[method.0, 0, 0, 0], data])
    }

    /// Adds a nonce.
    ///
    /// # Errors
    ///
    /// [`TooLong`].
    pub fn nonce(&mut self, nonce: &[u8]) -> Result<&mut Self, TooLong> {
        self.payload(PayloadType::NONCE, &[nonce])
    }

    /// Adds a notification about the IKE SA or the exchange.
    ///
    /// # Errors
    ///
    /// [`TooLong`].
    pub fn notify(&mut self, kind: NotifyType, data: &[u8]) -> Result<&mut Self, TooLong> {
        self.payload(PayloadType::NOTIFY, &[&[0, 0], &kind.0.to_be_bytes(), data])
    }

    /// Adds a notification about the child SA with this protocol and SPI.
    ///
    /// # Errors
    ///
    /// [`TooLong`].
    pub fn notify_child(
        &mut self,
        kind: NotifyType,
        protocol: ProtocolId,
        spi: u32,
        data: &[u8],
    ) -> Result<&mut Self, TooLong> {
        self.payload(
            PayloadType::NOTIFY,
            &[
                &[protocol.0, 4],
                &kind.0.to_be_bytes(),
                &spi.to_be_bytes(),
                data,
            ],
        )
    }

    /// Adds a notification with a list of signature hashes (RFC 7427 §4).
    ///
    /// # Errors
    ///
    /// [`TooLong`].
    pub fn signature_hashes(&mut self, hashes: &[SignatureHash]) -> Result<&mut Self, TooLong> {
        let data: Vec<u8> = hashes
            .iter()
            .flat_map(|hash| hash.0.to_be_bytes())
            .collect();
        self.notify(NotifyType::SIGNATURE_HASH_ALGORITHMS, &data)
    }

    /// Adds a notification with a gateway (RFC 5685 §9): REDIRECT, with the initiator's nonce in the
    /// answer to IKE_SA_INIT, or REDIRECTED_FROM, without.
    ///
    /// # Errors
    ///
    /// [`TooLong`]; also for a name of more than 255 octets.
    pub fn redirect(
        &mut self,
        kind: NotifyType,
        gateway: Gateway<'_>,
        nonce: &[u8],
    ) -> Result<&mut Self, TooLong> {
        let (v4, v6);
        let identity: &[u8] = match gateway {
            Gateway::V4(address) => {
                v4 = address.octets();
                &v4
            }
            Gateway::V6(address) => {
                v6 = address.octets();
                &v6
            }
            Gateway::Fqdn(name) => name,
        };
        let length = u8::try_from(identity.len()).map_err(|_| TooLong { limit: 255 })?;
        self.payload(
            PayloadType::NOTIFY,
            &[
                &[0, 0],
                &kind.0.to_be_bytes(),
                &[gateway.kind(), length],
                identity,
                nonce,
            ],
        )
    }

    /// Adds a delete payload for the IKE SA (RFC 7296 §3.11).
    ///
    /// # Errors
    ///
    /// [`TooLong`].
    pub fn delete_ike(&mut self) -> Result<&mut Self, TooLong> {
        self.payload(PayloadType::DELETE, &[&[ProtocolId::IKE.0, 0, 0, 0]])
    }

    /// Adds a delete payload for child SAs, by the SPIs this side receives with.
    ///
    /// # Errors
    ///
    /// [`TooLong`].
    pub fn delete_children(
        &mut self,
        protocol: ProtocolId,
        spis: &[u32],
    ) -> Result<&mut Self, TooLong> {
        let count = u16::try_from(spis.len()).map_err(|_| TooLong { limit: self.limit })?;
        let octets: Vec<u8> = spis.iter().flat_map(|spi| spi.to_be_bytes()).collect();
        self.payload(
            PayloadType::DELETE,
            &[&[protocol.0, 4], &count.to_be_bytes(), &octets],
        )
    }

    /// Adds a vendor id.
    ///
    /// # Errors
    ///
    /// [`TooLong`].
    pub fn vendor_id(&mut self, id: &[u8]) -> Result<&mut Self, TooLong> {
        self.payload(PayloadType::VENDOR_ID, &[id])
    }

    /// Adds a traffic selector payload, TSi or TSr, with 1 to 255 selectors.
    ///
    /// # Errors
    ///
    /// [`TooLong`]; also for more than 255.
    pub fn selectors(
        &mut self,
        initiator: bool,
        selectors: &[Selector],
    ) -> Result<&mut Self, TooLong> {
        let count = u8::try_from(selectors.len()).map_err(|_| TooLong { limit: 255 })?;
        let mut octets = Vec::with_capacity(selectors.len() * 16);
        for selector in selectors {
            selector.write(&mut octets);
        }
        let kind = if initiator {
            PayloadType::TS_I
        } else {
            PayloadType::TS_R
        };
        self.payload(kind, &[&[count, 0, 0, 0], &octets])
    }

    /// Adds a configuration payload (RFC 7296 §3.15).
    ///
    /// # Errors
    ///
    /// [`TooLong`].
    pub fn configuration(
        &mut self,
        kind: CfgType,
        attributes: &[(CfgAttributeType, &[u8])],
    ) -> Result<&mut Self, TooLong> {
        let too_long = TooLong { limit: self.limit };
        let mut octets = Vec::new();
        for (attribute, value) in attributes {
            let length = u16::try_from(value.len()).map_err(|_| too_long)?;
            octets.extend_from_slice(&attribute.0.to_be_bytes());
            octets.extend_from_slice(&length.to_be_bytes());
            octets.extend_from_slice(value);
        }
        self.payload(PayloadType::CP, &[&[kind.0, 0, 0, 0], &octets])
    }
}

/// A whole message whose payloads are in clear: IKE_SA_INIT, and errors outside of any SA.
///
/// # Errors
///
/// [`TooLong`] when it would be longer than its length field can say.
pub fn plain(header: &Header, payloads: &PayloadWriter) -> Result<Vec<u8>, TooLong> {
    let length = Header::LEN + payloads.octets().len();
    let told = u32::try_from(length).map_err(|_| TooLong {
        limit: u32::MAX as usize,
    })?;
    let mut octets = Vec::with_capacity(length);
    octets.extend_from_slice(&header.octets(payloads.first(), told));
    octets.extend_from_slice(payloads.octets());
    Ok(octets)
}
