//! What a record shows of IKE and of protected packets that were seen passing.

use core::fmt;

use super::PqClass;

/// The transforms that a responder chose for an IKE association.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IkeChosen {
    /// Encryption algorithm (IKEv2 transform type 1; IKEv1 attribute 1).
    pub encr: u16,
    /// Length of its key in bits; 0 when the algorithm has only one.
    pub key_length: u16,
    /// Pseudo-random function (IKEv2 transform type 2).
    pub prf: Option<u16>,
    /// Integrity algorithm (IKEv2 transform type 3); none with authenticated encryption.
    pub integ: Option<u16>,
    /// Hash (IKEv1 attribute 2).
    pub hash: Option<u16>,
    /// How the peers authenticate themselves (IKEv1 attribute 3).
    pub auth: Option<u16>,
    /// Key exchange method (IKEv2 transform type 4; IKEv1 attribute 4).
    pub ke: Option<u16>,
    /// Additional key exchanges (RFC 9370: IKEv2 transform types 6 to 12), 0 for none.
    pub additional: [u16; 7],
}

/// What was seen of an IKE association.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IkeSeen {
    /// Major version: 1 or 2.
    pub major: u8,
    /// The initiator's SPI (IKEv1: cookie).
    pub spi_i: u64,
    /// The responder's SPI, 0 when it has not answered.
    pub spi_r: u64,
    /// Exchange types in order, repeats folded; as many as have place.
    pub exchanges: Few<8>,
    /// Messages of both sides.
    pub messages: u32,
    /// Proposals of the initiator.
    pub proposals_offered: u16,
    /// What the responder chose.
    pub chosen: Option<IkeChosen>,
    /// Types of notifications in clear, each once; as many as have place.
    pub notifies: Few<16>,
    /// Messages went over port 4500 (RFC 7296 §2.23).
    pub nat_t: bool,
}

/// A security parameters index that was seen on protected packets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpiSeen {
    /// The index.
    pub spi: u32,
    /// The packets travelled in UDP (RFC 3948).
    pub udp_encapsulated: bool,
}

/// A few numbers in order; those beyond the last place are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Few<const N: usize> {
    list: [u16; N],
    len: usize,
}

impl<const N: usize> Default for Few<N> {
    fn default() -> Self {
        Self {
            list: [0; N],
            len: 0,
        }
    }
}

impl<const N: usize> Few<N> {
    /// The numbers.
    #[must_use]
    pub fn as_slice(&self) -> &[u16] {
        self.list.get(..self.len).unwrap_or(&self.list)
    }

    pub(super) const fn list(&self) -> [u16; N] {
        self.list
    }

    /// Says whether there was room.
    pub(crate) fn push(&mut self, number: u16) -> bool {
        let Some(place) = self.list.get_mut(self.len) else {
            return false;
        };
        *place = number;
        self.len += 1;
        true
    }
}

impl IkeChosen {
    /// Strength of the key exchanges together against a quantum computer: one that withstands
    /// it is enough.
    #[must_use]
    pub fn pq(&self) -> PqClass {
        let exchanges = || {
            let more = self.additional.iter().copied().filter(|ke| *ke != 0);
            self.ke.into_iter().chain(more)
        };
        let mlkem = exchanges().filter(|ke| is_ml_kem(*ke)).count();
        match (mlkem, exchanges().count()) {
            (_, 0) => PqClass::None,
            (0, _) => PqClass::Classical,
            (n, all) if n == all => PqClass::Pq,
            _ => PqClass::Hybrid,
        }
    }
}

/// ML-KEM-512, -768 and -1024 in the registry of key exchange methods.
const fn is_ml_kem(ke: u16) -> bool {
    matches!(ke, 35..=37)
}

/// A number of an IKE registry, by name or as it is.
pub(super) struct Named(pub(super) Option<&'static str>, pub(super) u16);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.1),
        }
    }
}
