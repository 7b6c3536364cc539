//! Tunnels: from the VPN actions of an IPSec policy to the model of [`hostward_ipsec`].
//!
//! What is wrong with a key is told at the name of its statement, and no message says what a key is.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use hostward_crypto::Secret;
use hostward_filter::{RuleSet, TimeCondition, TunnelKind};
use hostward_hook::ident::TunnelId;
use hostward_hook::protection::Encapsulation;
use hostward_ipsec::manual::Half;
use hostward_ipsec::sa::{Df, Dscp};
use hostward_ipsec::suite::{Protocol, encr, integ};
use hostward_ipsec::{ManualTunnel, Suite, Tunnel};

use crate::codes;
use crate::diagnostic::{CodeInfo, Diagnostic, Diagnostics};
use crate::filter::time_condition;
use crate::policy::{Object, Policy, Setting};
use crate::schema::ParameterId;
use crate::source::Span;
use crate::tables::ipsec::YesNo;
use crate::tables::ipsec::address::ip_addr;
use crate::tables::ipsec::vpn::{
    Authentication, AuthenticationProtocol, DontFragment, Encapsulation as Mode, IP_DYN_VPN_ACTION,
    IP_MAN_VPN_ACTION, KeyLength, ManualEncryption, PassthroughDf, ip_man_vpn_action,
};
use crate::value::Atom;

/// A manual tunnel and what the policy says of it beside.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Manual {
    /// The tunnel.
    pub tunnel: ManualTunnel,
    /// When it is to be installed; always when there are none.
    pub times: Vec<Arc<TimeCondition>>,
    /// Whether a rule sends traffic into it. One that no rule names has no number of its own.
    pub used: bool,
    /// Keyword and name.
    pub place: Span,
}

/// The tunnels of a policy.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct IpsecPolicy {
    /// Those whose keys are written down, in the order of their statements.
    pub manual: Vec<Manual>,
    /// Those that rules name and IKE negotiates.
    pub dynamic: Vec<Tunnel>,
}

/// Compiles the tunnels. `rules` is what [`filter::compile`](crate::filter::compile) made of the
/// same policy: it numbers the tunnels. Nothing when the policy has an error, be it from reading or
/// found here: all or nothing is installed.
#[must_use]
pub fn compile(policy: &Policy<'_>, rules: &RuleSet, out: &mut Diagnostics) -> Option<IpsecPolicy> {
    let mut compiler = Compiler { out };
    let mut made = IpsecPolicy::default();
    let number = |name: &str, kind: TunnelKind| {
        let mut all = rules.tunnels().iter().zip(0u32..);
        let found = all.find(|(t, _)| *t.name == *name && t.kind == kind);
        found.map(|(_, n)| TunnelId(n))
    };
    let mut spis: BTreeMap<(u32, u8, IpAddr), Span> = BTreeMap::new();
    for object in policy.statements(&IP_MAN_VPN_ACTION) {
        let id = number(&object.name(), TunnelKind::Manual);
        let tunnel = compiler.manual(object, id.unwrap_or(TunnelId(u32::MAX)));
        let times: Option<Vec<_>> = object
            .objects(ip_man_vpn_action::TIME_CONDITIONS)
            .map(|t| time_condition(t, compiler.out))
            .collect();
        let (Some(tunnel), Some(times)) = (tunnel, times) else {
            continue;
        };
        let place = object.name_span();
        let spi = tunnel.inbound.spi;
        let key = (spi, tunnel.suite.protocol().number(), tunnel.local);
        if let Some(other) = spis.insert(key, place) {
            compiler.out.push_with(&codes::SPI_TAKEN, || {
                Diagnostic::new(
                    &codes::SPI_TAKEN,
                    place,
                    format!(
                        "tunnel {} has the inbound SPI {spi} of another one",
                        tunnel.name
                    ),
                )
                .label("packets of the two could not be told apart")
                .also(other, "has it, too")
                .help("give each tunnel an inbound SPI of its own, and its peer the same outbound")
            });
        }
        made.manual.push(Manual {
            tunnel,
            times,
            used: id.is_some(),
            place,
        });
    }
    let on_demand = rules.settings().allow_on_demand;
    for (tunnel, n) in rules.tunnels().iter().zip(0u32..) {
        let known = policy
            .statements(&IP_DYN_VPN_ACTION)
            .any(|o| o.name() == *tunnel.name);
        if tunnel.kind == TunnelKind::Dynamic && known {
            let mut it = Tunnel::dynamic(TunnelId(n), Arc::clone(&tunnel.name));
            it.on_demand = on_demand;
            made.dynamic.push(it);
        }
    }
    (!out.has_errors() && !policy.has_errors()).then_some(made)
}

struct Compiler<'d> {
    out: &'d mut Diagnostics,
}

/// What one key line says.
struct Key {
    spi: u32,
    octets: Vec<u8>,
}

impl Compiler<'_> {
    fn wrong(
        &mut self,
        code: &'static CodeInfo,
        at: Span,
        message: String,
        label: &'static str,
        help: &'static str,
    ) {
        self.out.push_with(code, || {
            Diagnostic::new(code, at, message).label(label).help(help)
        });
    }

    /// Everything is looked at even when something before was wrong: all is told in one run.
    fn manual(&mut self, object: Object<'_>, id: TunnelId) -> Option<ManualTunnel> {
        use ip_man_vpn_action as p;
        let name = object.name();
        let mode = match object.choice(p::HOW_TO_ENCAP)? {
            Mode::Tunnel => Encapsulation::Tunnel,
            Mode::Transport => Encapsulation::Transport,
        };
        let ends = self.ends(object);
        let suite = self.suite(object)?;
        let mut half = |encryption, integrity, which: &str| {
            let (a, b) = (object.one(encryption), object.one(integrity));
            let lengths = (suite.encryption_key_len(), suite.integrity_key_len());
            self.half(object, suite, (a, lengths.0), (b, lengths.1), which)
        };
        let inbound = half(p::ENCRYPT_INBOUND, p::AUTH_INBOUND, "Inbound");
        let outbound = half(p::ENCRYPT_OUTBOUND, p::AUTH_OUTBOUND, "Outbound");
        let df = match object.one(p::PASSTHROUGH_DF)?.choice()? {
            PassthroughDf::Yes => Df::Copy,
            PassthroughDf::No => match object.one(p::PASSTHROUGH_DF)?.qualifier() {
                Some(DontFragment::Set) => Df::Set,
                Some(DontFragment::Clear) | None => Df::Clear,
            },
        };
        let dscp = match object.choice(p::PASSTHROUGH_DSCP)? {
            YesNo::Yes => Dscp::Copy,
            YesNo::No => Dscp::Fixed(0),
        };
        let ends = ends?;
        let made = ManualTunnel::new((id, &*name), mode, suite, ends, inbound?, outbound?);
        match made {
            Ok(tunnel) => {
                let tunnel = tunnel.with_outer(dscp, df);
                let active = object.choice(p::ACTIVE) != Some(YesNo::No);
                Some(if active { tunnel } else { tunnel.inactive() })
            }
            Err(error) => {
                self.wrong(
                    &codes::TUNNEL_IMPOSSIBLE,
                    object.name_span(),
                    format!("tunnel {name}: {error}"),
                    "cannot be made",
                    "look at its parameters",
                );
                None
            }
        }
    }

    /// Both ends: real addresses of one IP version.
    fn ends(&mut self, object: Object<'_>) -> Option<(IpAddr, IpAddr)> {
        let address = |parameter: ParameterId| {
            let setting = object.one(parameter)?;
            let atom = match setting.object() {
                Some(shared) => shared.one(ip_addr::ADDR)?.atom()?,
                None => setting.atom()?,
            };
            let Atom::Address(address) = atom else {
                return None;
            };
            Some((address, setting.line_span()))
        };
        let local = address(ip_man_vpn_action::LOCAL)?;
        let remote = address(ip_man_vpn_action::REMOTE)?;
        let mut fine = true;
        for (end, place) in [local, remote] {
            if end.is_unspecified() || end.is_multicast() {
                fine = false;
                self.wrong(
                    &codes::END_NOT_A_HOST,
                    place,
                    format!("{end} is no address of a host"),
                    "expected the address of one host",
                    "a tunnel goes from one address to another",
                );
            }
        }
        if local.0.is_ipv4() != remote.0.is_ipv4() {
            fine = false;
            self.out.push_with(&codes::MIXED_ENDS, || {
                Diagnostic::new(
                    &codes::MIXED_ENDS,
                    remote.1,
                    "the ends of a tunnel are of different IP versions",
                )
                .label("of another IP version than the local end")
                .also(local.1, "the local end")
                .help("what travels inside may be of either version, but not the two ends")
            });
        }
        fine.then_some((local.0, remote.0))
    }

    fn suite(&mut self, object: Object<'_>) -> Option<Suite> {
        use ip_man_vpn_action as p;
        let encrypt = object.one(p::HOW_TO_ENCRYPT)?;
        let auth = object.one(p::HOW_TO_AUTH)?;
        let (encryption, bits) = match encrypt.choice()? {
            ManualEncryption::Aes => (encr::AES_CBC, 128),
            ManualEncryption::AesCbc => match key_length(&encrypt) {
                Some(KeyLength::Bits256) => (encr::AES_CBC, 256),
                Some(KeyLength::Bits128) | None => (encr::AES_CBC, 128),
            },
            ManualEncryption::DoNot => (encr::NULL, 0),
            ManualEncryption::Des | ManualEncryption::TripleDes => {
                self.wrong(
                    &codes::WEAK_ALGORITHM,
                    encrypt.line_span(),
                    "DES is broken and not offered, not even threefold".into(),
                    "not offered (RFC 8221)",
                    "use `HowToEncrypt AES_CBC KeyLength 256`, at both ends",
                );
                return None;
            }
        };
        let protocol: AuthenticationProtocol = auth.choice()?;
        let integrity = match auth.qualifier()? {
            Authentication::HmacSha1 => integ::HMAC_SHA1_96,
            Authentication::HmacSha256 => integ::HMAC_SHA2_256_128,
            Authentication::HmacSha384 => integ::HMAC_SHA2_384_192,
            Authentication::HmacSha512 => integ::HMAC_SHA2_512_256,
            Authentication::Aes128Xcbc96 => integ::AES_XCBC_96,
            Authentication::HmacMd5 => {
                self.wrong(
                    &codes::WEAK_ALGORITHM,
                    auth.line_span(),
                    "HMAC-MD5 is not offered".into(),
                    "not offered (RFC 8221)",
                    "use `HMAC_SHA2_256_128`, at both ends",
                );
                return None;
            }
            Authentication::AesGmac128 | Authentication::AesGmac256 => {
                self.wrong(
                    &codes::MANUAL_COUNTER,
                    auth.line_span(),
                    "AES-GMAC with keys that are written down".into(),
                    "would use a number twice after a restart, which gives the key away",
                    "use `HMAC_SHA2_256_128`, or negotiate the tunnel",
                );
                return None;
            }
            Authentication::Null => {
                self.wrong(
                    &codes::NO_AUTHENTICATION,
                    auth.line_span(),
                    "a manual tunnel without authentication".into(),
                    "anybody could change its packets",
                    "use `HowToAuth ESP HMAC_SHA2_256_128`",
                );
                return None;
            }
        };
        let suite = match protocol {
            AuthenticationProtocol::Esp => Suite::esp(encryption, bits, integrity),
            AuthenticationProtocol::Ah if encryption == encr::NULL => Suite::ah(integrity),
            AuthenticationProtocol::Ah => {
                self.out.push_with(&codes::AH_WITH_ENCRYPTION, || {
                    Diagnostic::new(
                        &codes::AH_WITH_ENCRYPTION,
                        auth.line_span(),
                        "AH authenticates and encryption is wanted, too",
                    )
                    .label("AH and ESP one behind the other are not offered")
                    .also(encrypt.line_span(), "the encryption")
                    .help("let ESP do both, or say `HowToEncrypt DoNot`")
                });
                return None;
            }
        };
        match suite {
            Ok(suite) => Some(suite),
            Err(error) => {
                self.wrong(
                    &codes::TUNNEL_IMPOSSIBLE,
                    object.name_span(),
                    format!("tunnel {}: {error}", object.name()),
                    "cannot be made",
                    "look at `HowToEncrypt` and `HowToAuth`",
                );
                None
            }
        }
    }

    /// SPI and keys of one direction.
    fn half(
        &mut self,
        object: Object<'_>,
        suite: Suite,
        encryption: (Option<Setting<'_>>, usize),
        integrity: (Option<Setting<'_>>, usize),
        which: &str,
    ) -> Option<Half> {
        let encrypts = self.key(object, suite, encryption, "Encrypt", which);
        let checks = self.key(object, suite, integrity, "Auth", which);
        let (encrypts, checks) = (encrypts?, checks?);
        let spi = match (&encrypts, &checks) {
            // One association of ESP does both.
            (Some(a), Some(b)) if a.spi != b.spi => {
                let (a, b) = (a.spi, b.spi);
                self.wrong(
                    &codes::TWO_SPIS,
                    object.name_span(),
                    format!("`Encrypt{which}SA` and `Auth{which}SA` have SPIs {a} and {b}"),
                    "one association of ESP does both, and has one SPI",
                    "write the same SPI in both lines",
                );
                return None;
            }
            (Some(key), _) | (None, Some(key)) => key.spi,
            (None, None) => return None,
        };
        let keys: Vec<u8> = [encrypts, checks]
            .into_iter()
            .flatten()
            .flat_map(|k| k.octets)
            .collect();
        Some(Half {
            spi,
            keys: Secret::new(keys),
        })
    }

    /// A key line: there if and only if it is needed, and as long as it has to be. `None` after a
    /// mistake.
    #[expect(clippy::option_option, reason = "a mistake, no key, a key")]
    fn key(
        &mut self,
        object: Object<'_>,
        suite: Suite,
        (setting, length): (Option<Setting<'_>>, usize),
        what: &str,
        which: &str,
    ) -> Option<Option<Key>> {
        let name = object.name();
        let keyword = format!("{what}{which}SA");
        let Some(setting) = setting else {
            if length == 0 {
                return Some(None);
            }
            self.wrong(
                &codes::KEY_MISSING,
                object.name_span(),
                format!("tunnel {name} lacks `{keyword}`"),
                "its algorithms need this key",
                "write the SPI and the key in hexadecimal digits, the same at the other end",
            );
            return None;
        };
        let key = read_key(&setting)?;
        if length == 0 {
            self.wrong(
                &codes::KEY_NOT_NEEDED,
                object.name_span(),
                format!("tunnel {name} has `{keyword}`, and nothing uses that key"),
                "its algorithms do not take this key",
                "leave the line out, or choose the algorithm that it is for",
            );
            return None;
        }
        if key.octets.len() != length {
            let given = key.octets.len();
            let protocol = match suite.protocol() {
                Protocol::Esp => "ESP",
                Protocol::Ah => "AH",
            };
            self.wrong(
                &codes::KEY_LENGTH,
                object.name_span(),
                format!(
                    "the key of `{keyword}` of tunnel {name} has {given} octets, and not {length}"
                ),
                match protocol {
                    "AH" => "the authentication takes a key of fixed length",
                    _ => "encryption and authentication take keys of fixed length",
                },
                "two hexadecimal digits make an octet",
            );
            return None;
        }
        Some(Some(key))
    }
}

fn read_key(setting: &Setting<'_>) -> Option<Key> {
    let mut atoms = setting.atoms();
    let (Atom::Number(spi), Atom::Hex(digits)) = (atoms.next()?, atoms.next()?) else {
        return None;
    };
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let octets = digits
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect::<Option<_>>()?;
    Some(Key { spi, octets })
}

fn key_length(setting: &Setting<'_>) -> Option<KeyLength> {
    setting.atoms().find_map(|atom| atom.choice())
}
