//! Offers: algorithms, their combinations, lifetimes.

use alloc::format;
use alloc::string::ToString;

use hostward_crypto::algorithm::{Aead, AesKey, Algorithm, Cipher, Group, Hash, Mac, Prf};
use hostward_crypto::fips::Purpose;
use hostward_ike::policy as model;
use hostward_ike::policy::transform;

use super::Compiler;
use crate::codes;
use crate::policy::{Object, Setting};
use crate::schema::ParameterId;
use crate::tables::ipsec::key_exchange as k;
use crate::tables::ipsec::vpn as v;
use crate::value::Atom;

/// What an encryption of the language comes to.
enum Encryption {
    Aead(Aead),
    Cipher(Cipher),
    None,
    /// One that no library does any more.
    Old,
}

fn key(setting: &Setting<'_>) -> Option<AesKey> {
    let bits = setting.atoms().filter_map(|a| a.number()).last()?;
    AesKey::of(bits as usize / 8)
}

fn gcm(key: AesKey) -> Aead {
    Aead::AesGcm(key, hostward_crypto::algorithm::Tag::Octets16)
}

/// A key exchange after the first.
pub(super) fn later(setting: &Setting<'_>) -> Option<model::AdditionalKeyExchange> {
    let number = setting.atom()?.number()?;
    let group = transform::group_of(u16::try_from(number).ok()?)?;
    let mut exchange = model::AdditionalKeyExchange::required(group);
    exchange.optional = setting.qualifier::<v::MayBeLeftOut>().is_some();
    Some(exchange)
}

/// A number that was written as one.
fn plain(atom: Atom<'_>) -> Option<u32> {
    if let Atom::Number(number) = atom {
        Some(number)
    } else {
        None
    }
}

/// A range of two numbers; nothing for `None`.
fn pair(setting: &Setting<'_>) -> Option<core::ops::RangeInclusive<u32>> {
    let mut numbers = setting.atoms().filter_map(plain);
    Some(numbers.next()?..=numbers.next()?)
}

impl Compiler<'_> {
    /// Says that a value cannot be used.
    fn refuse(&mut self, setting: &Setting<'_>, why: &str) {
        self.tell(
            &codes::IKE_ALGORITHM,
            setting.line_span(),
            || {
                let name = setting.keyword().map_or("", |k| k.name);
                format!("`{name}` asks for an algorithm that cannot be used")
            },
            || why.to_string(),
            "take one of AES_GCM_16, AES_CBC, HMAC_SHA2_256 and longer, Group14 to 21 or 31, as far as this system has them",
        );
    }

    fn ask(&mut self, setting: &Setting<'_>, purpose: Purpose, algorithm: Algorithm) -> Option<()> {
        self.provider
            .check(purpose, algorithm)
            .map_err(|refusal| self.refuse(setting, &refusal.to_string()))
            .ok()
    }

    pub(super) fn group(&mut self, setting: &Setting<'_>, number: u32) -> Option<Group> {
        let group = u16::try_from(number).ok().and_then(transform::group_of);
        let Some(group) = group else {
            self.refuse(
                setting,
                "the group is too weak, or of doubtful origin (RFC 8247 §2.4)",
            );
            return None;
        };
        self.ask(setting, Purpose::Ike, Algorithm::Exchange(group))?;
        Some(group)
    }

    pub(super) fn key_exchange_offer(
        &mut self,
        object: Object<'_>,
    ) -> Option<model::KeyExchangeOffer> {
        if let Some(known) = self.offers.get(&object.index()) {
            return known.clone();
        }
        let made = self.key_exchange_offer_of(object);
        self.offers.insert(object.index(), made.clone());
        made
    }

    fn key_exchange_offer_of(&mut self, object: Object<'_>) -> Option<model::KeyExchangeOffer> {
        use k::key_exchange_offer as p;
        let encrypt = object.one(p::HOW_TO_ENCRYPT)?;
        let encryption = match encrypt.choice::<k::IkeEncryption>()? {
            k::IkeEncryption::Des | k::IkeEncryption::TripleDes => Encryption::Old,
            k::IkeEncryption::Aes => Encryption::Cipher(Cipher::AesCbc(AesKey::Aes128)),
            k::IkeEncryption::AesCbc => Encryption::Cipher(Cipher::AesCbc(key(&encrypt)?)),
            k::IkeEncryption::AesGcm16 => Encryption::Aead(gcm(key(&encrypt)?)),
            k::IkeEncryption::ChaCha20Poly1305 => Encryption::Aead(Aead::ChaCha20Poly1305),
        };
        let verify = object.one(p::HOW_TO_VERIFY_MSGS)?;
        let protection = match encryption {
            Encryption::Old | Encryption::None => {
                self.refuse(&encrypt, "blocks of 64 bits are too short (RFC 8247 §2.1)");
                None
            }
            Encryption::Aead(aead) => {
                // Not used, and z/OS says so in its documentation; what is written is not what happens.
                if !verify.is_default() {
                    self.tell(
                        &codes::IKE_NO_EFFECT,
                        verify.line_span(),
                        || {
                            "`HowToVerifyMsgs` has no effect: the encryption authenticates too"
                                .into()
                        },
                        || "is not used".into(),
                        "take it out",
                    );
                }
                self.ask(&encrypt, Purpose::Ike, Algorithm::Aead(aead))
                    .map(|()| model::IkeProtection::Aead(aead))
            }
            Encryption::Cipher(cipher) => {
                let mac = match verify.choice::<k::VerifyMessages>()? {
                    k::VerifyMessages::HmacMd5 => None,
                    k::VerifyMessages::Aes128Xcbc96 => Some(Mac::AesXcbc),
                    k::VerifyMessages::HmacSha1 => Some(Mac::Hmac(Hash::Sha1)),
                    k::VerifyMessages::HmacSha256 => Some(Mac::Hmac(Hash::Sha256)),
                    k::VerifyMessages::HmacSha384 => Some(Mac::Hmac(Hash::Sha384)),
                    k::VerifyMessages::HmacSha512 => Some(Mac::Hmac(Hash::Sha512)),
                };
                let cipher_fits = self.ask(&encrypt, Purpose::Ike, Algorithm::Cipher(cipher));
                match mac {
                    None => {
                        self.refuse(&verify, "MD5 is broken (RFC 8247 §2.3)");
                        None
                    }
                    Some(mac) => self
                        .ask(&verify, Purpose::Ike, Algorithm::Mac(mac))
                        .and(cipher_fits)
                        .map(|()| model::IkeProtection::Cipher(cipher, mac)),
                }
            }
        };
        let function = object.one(p::PSEUDO_RANDOM_FUNCTION)?;
        let prf = match function.choice::<k::RandomFunction>()? {
            k::RandomFunction::HmacMd5 => {
                self.refuse(&function, "MD5 is broken (RFC 8247 §2.2)");
                None
            }
            k::RandomFunction::Aes128Xcbc => Some(Prf::AesXcbc),
            k::RandomFunction::HmacSha1 => Some(Prf::Hmac(Hash::Sha1)),
            k::RandomFunction::HmacSha256 => Some(Prf::Hmac(Hash::Sha256)),
            k::RandomFunction::HmacSha384 => Some(Prf::Hmac(Hash::Sha384)),
            k::RandomFunction::HmacSha512 => Some(Prf::Hmac(Hash::Sha512)),
        };
        let prf = prf.and_then(|prf| {
            self.ask(&function, Purpose::Ike, Algorithm::Mac(prf.mac()))
                .map(|()| prf)
        });
        let group = object.one(p::DH_GROUP)?;
        let group = self.group(&group, group.atom()?.number()?);
        let life = self.life(
            object,
            [
                p::LIFETIME_PROPOSED,
                p::LIFETIME_ACCEPTED,
                p::LIFESIZE_PROPOSED,
                p::LIFESIZE_ACCEPTED,
            ],
        );
        let mut offer = model::KeyExchangeOffer::new(protection?, prf?, group?);
        offer.additional = object
            .all(p::ADDITIONAL)
            .filter_map(|s| later(&s))
            .collect();
        offer.life = life?;
        Some(offer)
    }

    fn life(&mut self, object: Object<'_>, parameters: [ParameterId; 4]) -> Option<model::Life> {
        let [proposed, accepted, size, sizes] = parameters;
        let minutes = object.one(proposed)?;
        let bounds = object.one(accepted)?;
        let mut life = model::Life::of(minutes.atom()?.number()?, pair(&bounds)?);
        let kilobytes = object.one(size)?;
        life.kilobytes = plain(kilobytes.atom()?);
        let size_bounds = object.one(sizes)?;
        life.accepted_kilobytes = pair(&size_bounds);
        for (proposed, accepted, value, range) in [
            (
                &minutes,
                &bounds,
                Some(life.minutes),
                Some(&life.accepted_minutes),
            ),
            (
                &kilobytes,
                &size_bounds,
                life.kilobytes,
                life.accepted_kilobytes.as_ref(),
            ),
        ] {
            let (Some(value), Some(range)) = (value, range) else {
                continue;
            };
            if range.contains(&value) {
                continue;
            }
            let place = if proposed.is_default() {
                accepted
            } else {
                proposed
            };
            self.tell(
                &codes::IKE_LIFETIME,
                place.line_span(),
                || {
                    format!(
                        "{value} is proposed, and {} to {} are accepted",
                        range.start(),
                        range.end()
                    )
                },
                || "the one does not fit the other".into(),
                "propose something that this host would accept itself",
            );
            return None;
        }
        Some(life)
    }

    pub(super) fn data_offer(&mut self, object: Object<'_>) -> Option<model::IpDataOffer> {
        if let Some(known) = self.data_offers.get(&object.index()) {
            return known.clone();
        }
        let made = self.data_offer_of(object);
        self.data_offers.insert(object.index(), made.clone());
        made
    }

    fn data_offer_of(&mut self, object: Object<'_>) -> Option<model::IpDataOffer> {
        use v::ip_data_offer as p;
        let protection = self.protection(object);
        let life = self.life(
            object,
            [
                p::LIFETIME_PROPOSED,
                p::LIFETIME_ACCEPTED,
                p::LIFESIZE_PROPOSED,
                p::LIFESIZE_ACCEPTED,
            ],
        );
        let mut offer = model::IpDataOffer::new(protection?);
        offer.life = life?;
        offer.encapsulation = match object.choice::<v::Encapsulation>(p::HOW_TO_ENCAP)? {
            v::Encapsulation::Tunnel => model::Encapsulation::Tunnel,
            v::Encapsulation::Transport => model::Encapsulation::Transport,
        };
        Some(offer)
    }

    /// What may go together: reference of the language, `IpDataOffer`.
    fn protection(&mut self, object: Object<'_>) -> Option<model::DataProtection> {
        use model::DataProtection as D;
        use v::ip_data_offer as p;
        let encrypt = object.one(p::HOW_TO_ENCRYPT)?;
        let auth = object.one(p::HOW_TO_AUTH)?;
        let encryption = match encrypt.choice::<v::Encryption>()? {
            v::Encryption::Des | v::Encryption::TripleDes => Encryption::Old,
            v::Encryption::Aes => Encryption::Cipher(Cipher::AesCbc(AesKey::Aes128)),
            v::Encryption::AesCbc => Encryption::Cipher(Cipher::AesCbc(key(&encrypt)?)),
            v::Encryption::AesGcm16 => Encryption::Aead(gcm(key(&encrypt)?)),
            v::Encryption::ChaCha20Poly1305 => Encryption::Aead(Aead::ChaCha20Poly1305),
            v::Encryption::DoNot => Encryption::None,
        };
        let ah = auth.choice::<v::AuthenticationProtocol>()? == v::AuthenticationProtocol::Ah;
        let method = auth.qualifier::<v::Authentication>()?;
        let (mac, gmac) = match method {
            v::Authentication::Null => (None, None),
            v::Authentication::AesGmac128 => (None, Some(AesKey::Aes128)),
            v::Authentication::AesGmac256 => (None, Some(AesKey::Aes256)),
            v::Authentication::Aes128Xcbc96 => (Some(Mac::AesXcbc), None),
            v::Authentication::HmacMd5 => {
                self.refuse(&auth, "MD5 is broken (RFC 8221 §6)");
                return None;
            }
            v::Authentication::HmacSha1 => (Some(Mac::Hmac(Hash::Sha1)), None),
            v::Authentication::HmacSha256 => (Some(Mac::Hmac(Hash::Sha256)), None),
            v::Authentication::HmacSha384 => (Some(Mac::Hmac(Hash::Sha384)), None),
            v::Authentication::HmacSha512 => (Some(Mac::Hmac(Hash::Sha512)), None),
        };
        let (purpose, made) = match (encryption, ah, mac, gmac) {
            (Encryption::Old, ..) => {
                self.refuse(&encrypt, "blocks of 64 bits are too short (RFC 8221 §5)");
                return None;
            }
            (Encryption::Aead(_) | Encryption::Cipher(_), true, ..) => {
                self.tell(
                    &codes::IKE_BUNDLE,
                    auth.line_span(),
                    || "AH cannot be combined with encryption".into(),
                    || "IKEv2 negotiates ESP or AH, not both for one packet".into(),
                    "write `HowToAuth ESP` and an algorithm, or `HowToEncrypt DoNot`",
                );
                return None;
            }
            (Encryption::Aead(aead), false, None, None) => (Purpose::Esp, D::EspAead(aead)),
            (Encryption::Aead(_), false, ..) => {
                return self.combination(
                    &auth,
                    "the encryption authenticates too",
                    "write `HowToAuth ESP Null`",
                );
            }
            (Encryption::Cipher(cipher), false, Some(mac), _) => {
                (Purpose::Esp, D::Esp(cipher, mac))
            }
            (Encryption::Cipher(_), false, None, Some(_)) => {
                return self.combination(
                    &auth,
                    "AES-GMAC is for packets that are not encrypted",
                    "write `HowToEncrypt DoNot`, or `HowToEncrypt AES_GCM_16 KeyLength 256` and `HowToAuth ESP Null`",
                );
            }
            (Encryption::Cipher(_), false, None, None) => {
                return self.combination(
                    &auth,
                    "encryption without authentication is no protection",
                    "write `HowToAuth ESP HMAC_SHA2_256_128`, or encrypt with AES_GCM_16",
                );
            }
            (Encryption::None, false, Some(mac), _) => (Purpose::Esp, D::EspNull(mac)),
            (Encryption::None, false, None, Some(key)) => (Purpose::Esp, D::EspGmac(key)),
            (Encryption::None, true, Some(mac), _) => (Purpose::Ah, D::Ah(mac)),
            (Encryption::None, true, None, Some(key)) => (Purpose::Ah, D::AhGmac(key)),
            (Encryption::None, _, None, None) => {
                return self.combination(
                    &auth,
                    "neither encryption nor authentication",
                    "write `HowToAuth ESP HMAC_SHA2_256_128`, or encrypt",
                );
            }
        };
        let fits = match made {
            D::EspAead(aead) => self.ask(&encrypt, purpose, Algorithm::Aead(aead)),
            D::Esp(cipher, mac) => {
                let cipher = self.ask(&encrypt, purpose, Algorithm::Cipher(cipher));
                self.ask(&auth, purpose, Algorithm::Mac(mac)).and(cipher)
            }
            D::EspNull(mac) | D::Ah(mac) => self.ask(&auth, purpose, Algorithm::Mac(mac)),
            D::EspGmac(key) | D::AhGmac(key) => self.ask(&auth, purpose, Algorithm::Aead(gcm(key))),
            _ => None,
        };
        fits.map(|()| made)
    }

    fn combination(
        &mut self,
        setting: &Setting<'_>,
        why: &'static str,
        help: &'static str,
    ) -> Option<model::DataProtection> {
        self.tell(
            &codes::IKE_COMBINATION,
            setting.line_span(),
            || "`HowToEncrypt` and `HowToAuth` do not go together".into(),
            || why.into(),
            help,
        );
        None
    }
}
