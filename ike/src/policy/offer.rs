//! What is offered and accepted: for the IKE SA (`KeyExchangeOffer`) and for its children (`IpDataOffer`).

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use hostward_crypto::Provider;
use hostward_crypto::algorithm::{Aead, AesKey, Algorithm, Cipher, Group, Hash, Mac, Prf, Tag};
use hostward_crypto::fips::Purpose;

use super::{Fault, transform};

/// How long keys are used (`RefreshLifetimeProposed`, `…Accepted`, `RefreshLifesizeProposed`, `…Accepted`). In IKEv2
/// each side keeps its own limits: the proposed ones are kept; the accepted ones bound what a host may be
/// configured with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the four parameters of z/OS")]
pub struct Life {
    /// Minutes after which new keys are made.
    pub minutes: u32,
    /// The least and the most minutes.
    pub accepted_minutes: RangeInclusive<u32>,
    /// Kilobytes after which new keys are made; none for no limit.
    pub kilobytes: Option<u32>,
    /// The least and the most kilobytes; none for no limit.
    pub accepted_kilobytes: Option<RangeInclusive<u32>>,
}

impl Life {
    /// The default of a `KeyExchangeOffer`: 480 minutes, 240 to 1440 accepted.
    pub const IKE: Self = Self::of(480, 240..=1440);
    /// The default of an `IpDataOffer`: 240 minutes, 120 to 480 accepted.
    pub const DATA: Self = Self::of(240, 120..=480);

    /// Of minutes alone.
    #[must_use]
    pub const fn of(minutes: u32, accepted_minutes: RangeInclusive<u32>) -> Self {
        Self {
            minutes,
            accepted_minutes,
            kilobytes: None,
            accepted_kilobytes: None,
        }
    }

    fn check(&self) -> Result<(), Fault> {
        if self.minutes == 0 || !self.accepted_minutes.contains(&self.minutes) {
            return Err(Fault::new(
                "RefreshLifetimeProposed",
                "minutes within RefreshLifetimeAccepted",
            ));
        }
        let fits = match (self.kilobytes, &self.accepted_kilobytes) {
            (Some(proposed), Some(accepted)) => accepted.contains(&proposed),
            (Some(proposed), None) => proposed > 0,
            (None, _) => true,
        };
        if fits {
            Ok(())
        } else {
            Err(Fault::new(
                "RefreshLifesizeProposed",
                "kilobytes within RefreshLifesizeAccepted",
            ))
        }
    }
}

/// Encryption of IKE's own messages (`HowToEncrypt` and `HowToVerifyMsgs` of `KeyExchangeOffer`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IkeProtection {
    /// Both in one (`AES_GCM_16`, RFC 5282): no integrity transform is offered.
    Aead(Aead),
    /// A cipher, and a code over what it gives.
    Cipher(Cipher, Mac),
}

/// Another key exchange after the first (RFC 9370); an extension to z/OS.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the transforms of one of ADDKE1 to ADDKE7"
)]
pub struct AdditionalKeyExchange {
    /// Groups, the preferred one first.
    pub groups: Vec<Group>,
    /// Whether it may be left out (the transform NONE is offered as well).
    pub optional: bool,
}

impl AdditionalKeyExchange {
    /// One group that must be used.
    #[must_use]
    pub fn required(group: Group) -> Self {
        Self {
            groups: alloc::vec![group],
            optional: false,
        }
    }
}

/// What an IKE SA may use (`KeyExchangeOffer`): one proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyExchangeOffer {
    /// `HowToEncrypt`, `HowToVerifyMsgs`.
    pub protection: IkeProtection,
    /// `PseudoRandomFunction`.
    pub prf: Prf,
    /// `DHGroup`.
    pub group: Group,
    /// Key exchanges after the first, at most seven.
    pub additional: Vec<AdditionalKeyExchange>,
    /// Lifetime and lifesize.
    pub life: Life,
}

impl KeyExchangeOffer {
    /// With the default life and one key exchange.
    #[must_use]
    pub const fn new(protection: IkeProtection, prf: Prf, group: Group) -> Self {
        Self {
            protection,
            prf,
            group,
            additional: Vec::new(),
            life: Life::IKE,
        }
    }

    /// The same with another key exchange behind.
    #[must_use]
    pub fn and(mut self, additional: AdditionalKeyExchange) -> Self {
        self.additional.push(additional);
        self
    }

    pub(super) fn check(&self, provider: &Provider) -> Result<(), Fault> {
        let ask = |parameter, algorithm| Fault::ask(provider, Purpose::Ike, parameter, algorithm);
        match self.protection {
            IkeProtection::Aead(aead) => ask("HowToEncrypt", Algorithm::Aead(aead))?,
            IkeProtection::Cipher(cipher, mac) => {
                ask("HowToEncrypt", Algorithm::Cipher(cipher))?;
                ask("HowToVerifyMsgs", Algorithm::Mac(mac))?;
            }
        }
        ask("PseudoRandomFunction", Algorithm::Mac(self.prf.mac()))?;
        check_groups(provider, "DHGroup", Some(self.group), &self.additional)?;
        // IKE_SA_INIT cannot be in fragments, and 1280 octets get through everywhere.
        if self.group.initiator_len() > 1200 {
            return Err(Fault::new(
                "DHGroup",
                "a group whose public value fits one packet; put a larger one behind it as additional key exchange",
            ));
        }
        self.life.check()
    }
}

/// The key exchanges of one proposal: each has a number, the provider does it, none is there twice (RFC 9370 §2.2.2).
pub(super) fn check_groups(
    provider: &Provider,
    parameter: &'static str,
    first: Option<Group>,
    additional: &[AdditionalKeyExchange],
) -> Result<(), Fault> {
    const ADDITIONAL: &str = "AdditionalKeyExchange";
    let check = |parameter, group: Group| {
        if transform::group(group).is_none() {
            return Err(Fault::new(parameter, "a group of IKEv2"));
        }
        Fault::ask(
            provider,
            Purpose::Ike,
            parameter,
            Algorithm::Exchange(group),
        )
    };
    if let Some(group) = first {
        check(parameter, group)?;
    }
    if additional.len() > 7 {
        return Err(Fault::new(
            ADDITIONAL,
            "at most seven additional key exchanges",
        ));
    }
    if first.is_none() && !additional.is_empty() {
        return Err(Fault::new(ADDITIONAL, "a first key exchange before it"));
    }
    for (at, one) in additional.iter().enumerate() {
        if one.groups.is_empty() {
            return Err(Fault::new(ADDITIONAL, "at least one group"));
        }
        for (place, group) in one.groups.iter().enumerate() {
            check(ADDITIONAL, *group)?;
            if one
                .groups
                .iter()
                .skip(place + 1)
                .any(|other| other == group)
            {
                return Err(Fault::new(ADDITIONAL, "each group once"));
            }
        }
        // RFC 9370 §2.2.2: no two key exchanges of a proposal may come to the same.
        let before = additional.iter().take(at);
        let taken: Vec<&[Group]> = first
            .as_slice()
            .chunks(1)
            .chain(before.map(|other| other.groups.as_slice()))
            .collect();
        let free = |group: &Group| !taken.iter().any(|groups| *groups == [*group]);
        if !one.groups.iter().any(free) {
            return Err(Fault::new(
                ADDITIONAL,
                "a group that the key exchanges before it do not use",
            ));
        }
    }
    Ok(())
}

/// How packets are carried (`HowToEncap`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4301 §4.1 knows these two")]
pub enum Encapsulation {
    /// Whole, inside of another packet.
    #[default]
    Tunnel,
    /// With their own header.
    Transport,
}

/// Protocol and algorithms of a child (`HowToEncrypt` and `HowToAuth` of `IpDataOffer`). Combinations that make no sense
/// cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataProtection {
    /// ESP with a combined algorithm (`AES_GCM_16` with `ESP Null`).
    EspAead(Aead),
    /// ESP with a cipher and a code.
    Esp(Cipher, Mac),
    /// ESP that only authenticates (`DoNot`).
    EspNull(Mac),
    /// ESP that only authenticates, by GMAC (RFC 4543).
    EspGmac(AesKey),
    /// AH.
    Ah(Mac),
    /// AH by GMAC.
    AhGmac(AesKey),
}

impl DataProtection {
    /// The protocol: 50 or 51.
    #[must_use]
    pub const fn protocol(self) -> u8 {
        match self {
            Self::EspAead(_) | Self::Esp(..) | Self::EspNull(_) | Self::EspGmac(_) => 50,
            Self::Ah(_) | Self::AhGmac(_) => 51,
        }
    }

    /// Transform type 1: number and key length; none for AH.
    #[must_use]
    pub const fn encryption(self) -> Option<(u16, Option<u16>)> {
        match self {
            Self::EspAead(algorithm) => transform::aead(algorithm),
            Self::Esp(cipher, _) => transform::cipher(cipher),
            Self::EspNull(_) => Some((11, None)),
            Self::EspGmac(key) => Some((21, Some(8 * key.len() as u16))),
            Self::Ah(_) | Self::AhGmac(_) => None,
        }
    }

    /// Transform type 3; none where encryption authenticates.
    #[must_use]
    pub const fn integrity(self) -> Option<u16> {
        match self {
            Self::EspAead(_) | Self::EspGmac(_) => None,
            Self::Esp(_, mac) | Self::EspNull(mac) | Self::Ah(mac) => {
                match transform::integrity(mac) {
                    Some((number, _)) => Some(number),
                    None => None,
                }
            }
            Self::AhGmac(AesKey::Aes128) => Some(9),
            Self::AhGmac(AesKey::Aes192) => Some(10),
            Self::AhGmac(AesKey::Aes256) => Some(11),
        }
    }
}

/// What a child may use (`IpDataOffer`): one proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IpDataOffer {
    /// `HowToEncap`; `HowToEncapIKEv2` of the action may narrow it.
    pub encapsulation: Encapsulation,
    /// `HowToEncrypt`, `HowToAuth`.
    pub protection: DataProtection,
    /// Lifetime and lifesize.
    pub life: Life,
}

impl IpDataOffer {
    /// With the default life, in tunnel mode.
    #[must_use]
    pub const fn new(protection: DataProtection) -> Self {
        Self {
            encapsulation: Encapsulation::Tunnel,
            protection,
            life: Life::DATA,
        }
    }

    pub(super) fn check(&self, provider: &Provider) -> Result<(), Fault> {
        let purpose = if self.protection.protocol() == 50 {
            Purpose::Esp
        } else {
            Purpose::Ah
        };
        let ask = |parameter, algorithm| Fault::ask(provider, purpose, parameter, algorithm);
        match self.protection {
            DataProtection::EspAead(aead) => ask("HowToEncrypt", Algorithm::Aead(aead))?,
            DataProtection::Esp(cipher, mac) => {
                ask("HowToEncrypt", Algorithm::Cipher(cipher))?;
                ask("HowToAuth", Algorithm::Mac(mac))?;
            }
            DataProtection::EspNull(mac) | DataProtection::Ah(mac) => {
                ask("HowToAuth", Algorithm::Mac(mac))?;
            }
            DataProtection::EspGmac(key) | DataProtection::AhGmac(key) => {
                ask(
                    "HowToAuth",
                    Algorithm::Aead(Aead::AesGcm(key, Tag::Octets16)),
                )?;
            }
        }
        self.life.check()
    }
}

/// The default of `HowToEncrypt` with `HowToVerifyMsgs HMAC_SHA2_256_128`, which this project takes in place of SHA-1.
impl Default for IkeProtection {
    fn default() -> Self {
        Self::Cipher(Cipher::AesCbc(AesKey::Aes128), Mac::Hmac(Hash::Sha256))
    }
}
