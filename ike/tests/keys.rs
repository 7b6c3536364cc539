//! The key schedule against a computation of its own in another language, `data/keys.py`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a failing test may panic"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use hostward_crypto::algorithm::AesKey;
use hostward_crypto::{Aead, Cipher, Group, Hash, Mac, Prf, Provider, Secret, backend};
use hostward_ike::keys::{
    ChildKeys, IkeKeys, IntAuth, Nonces, Side, Signed, Spis, nat_detection, psk_auth, psk_verify,
};
use hostward_ike::message::{ExchangeType, Flags, Header, IkeSpi, PayloadWriter};
use hostward_ike::proposal::{ChildSuite, Encr, IkeSuite, Integ, Protocol, prf_of};
use hostward_ike::protect::Authenticated;

const VECTORS: &str = include_str!("data/keys.txt");

/// The values of one PRF.
struct Case(BTreeMap<&'static str, Vec<u8>>);

impl Case {
    fn all() -> Vec<Self> {
        VECTORS
            .split("\n\n")
            .filter(|block| !block.trim().is_empty())
            .map(|block| {
                Self(
                    block
                        .lines()
                        .map(|line| {
                            let (name, hex) = line.split_once(" = ").unwrap();
                            let octets = (0..hex.len())
                                .step_by(2)
                                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                                .collect();
                            (name, octets)
                        })
                        .collect(),
                )
            })
            .collect()
    }

    fn get(&self, name: &str) -> &[u8] {
        self.0
            .get(name)
            .unwrap_or_else(|| panic!("{name} is in the file"))
    }

    fn secret(&self, name: &str) -> Secret {
        Secret::copy(self.get(name))
    }

    fn prf(&self) -> Prf {
        let id = self.get("prf");
        prf_of(u16::from_be_bytes([id[0], id[1]])).unwrap()
    }

    fn nonces(&self) -> Nonces<'_> {
        Nonces {
            initiator: self.get("ni"),
            responder: self.get("nr"),
        }
    }

    fn spis(&self, prefix: &str) -> Spis {
        let spi = |name: &str| IkeSpi(self.get(&format!("{prefix}{name}")).try_into().unwrap());
        Spis {
            initiator: spi("spii"),
            responder: spi("spir"),
        }
    }

    fn are(&self, name: &str, keys: &IkeKeys) {
        for (part, found) in [
            ("d", keys.d()),
            ("ai", keys.of(Side::Initiator).1),
            ("ar", keys.of(Side::Responder).1),
            ("ei", keys.of(Side::Initiator).0),
            ("er", keys.of(Side::Responder).0),
            ("pi", keys.p(Side::Initiator)),
            ("pr", keys.p(Side::Responder)),
        ] {
            let expected = self.get(&format!("{name}.{part}"));
            assert_eq!(found.expose(), expected, "{:?} {name}.{part}", self.prf());
        }
    }
}

fn provider() -> Provider {
    Provider::of([backend::RUST_CRYPTO])
}

fn gcm(prf: Prf) -> IkeSuite {
    IkeSuite {
        encryption: Encr::Aead(Aead::AES_256_GCM),
        prf,
        integrity: None,
        group: Group::X25519,
        additional: Vec::new(),
    }
}

fn initial(case: &Case, suite: &IkeSuite) -> IkeKeys {
    IkeKeys::initial(
        &provider(),
        suite,
        case.nonces(),
        case.spis(""),
        &case.secret("shared0"),
    )
    .unwrap()
}

#[test]
fn vectors_are_those_of_the_script() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keys.py");
    let python = Command::new("python3")
        .args(["-c", "import cryptography"])
        .output();
    if !python.is_ok_and(|output| output.status.success()) {
        println!("skipped: python3 with the module `cryptography` is not here");
        return;
    }
    let output = Command::new("python3").arg(script).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), VECTORS);
}

// RFC 7296 §2.13, §2.14: SKEYSEED and the seven keys; RFC 4434 §2: half of a fixed key from each nonce.
#[test]
fn after_ike_sa_init() {
    let cases = Case::all();
    assert_eq!(cases.len(), 6);
    for case in cases {
        case.are("gcm", &initial(&case, &gcm(case.prf())));
        let cbc = IkeSuite {
            encryption: Encr::Cipher(Cipher::AesCbc(AesKey::Aes128)),
            integrity: Some(Integ::Mac(Mac::Hmac(Hash::Sha384))),
            ..gcm(case.prf())
        };
        case.are("cbc", &initial(&case, &cbc));
    }
}

// RFC 9370 §2.2.2: each additional key exchange makes all keys anew, from SK_d of the generation before.
#[test]
fn after_additional_key_exchanges() {
    for case in Case::all() {
        let suite = gcm(case.prf());
        let mixed = |keys: &IkeKeys, shared| {
            keys.mixed(
                &provider(),
                &suite,
                case.nonces(),
                case.spis(""),
                &case.secret(shared),
            )
            .unwrap()
        };
        let once = mixed(&initial(&case, &suite), "shared1");
        case.are("once", &once);
        case.are("twice", &mixed(&once, "shared2"));
    }
}

// RFC 7296 §2.18: SKEYSEED by the old PRF. RFC 9370 §2.2.4: further secrets after the nonces.
#[test]
fn after_rekeying() {
    for case in Case::all() {
        let keys = initial(&case, &gcm(case.prf()));
        let shared = [0, 1, 2].map(|n| case.secret(&format!("shared{n}")));
        let [first, second, third] = &shared;
        let rekeyed = |shared: &[&Secret]| {
            keys.rekeyed(
                &provider(),
                &gcm(Prf::Hmac(Hash::Sha256)),
                case.nonces(),
                case.spis("new"),
                shared,
            )
            .unwrap()
        };
        case.are("rekeyed", &rekeyed(&[first]));
        case.are("rekeyed3", &rekeyed(&[first, second, third]));
    }
}

// RFC 7296 §2.17: the initiator's direction first, encryption before integrity.
#[test]
fn of_children() {
    for case in Case::all() {
        let keys = initial(&case, &gcm(case.prf()));
        let shared = [0, 1, 2].map(|n| case.secret(&format!("shared{n}")));
        let [first, second, third] = &shared;
        for (name, shared) in [
            ("child", &[][..]),
            ("pfs", &[first][..]),
            ("pfs3", &[first, second, third][..]),
        ] {
            let child = |encryption, integrity| -> ChildKeys {
                let suite = ChildSuite {
                    protocol: Protocol::Esp,
                    encryption: Some(encryption),
                    integrity,
                    group: None,
                    additional: Vec::new(),
                    esn: true,
                };
                keys.child(&provider(), &suite, case.nonces(), shared)
                    .unwrap()
            };
            let cbc = child(
                Encr::Cipher(Cipher::AesCbc(AesKey::Aes256)),
                Some(Integ::Mac(Mac::Hmac(Hash::Sha256))),
            );
            let gcm = child(Encr::Aead(Aead::AES_128_GCM), None);
            for (part, found) in [
                ("cbc.ei", &cbc.from_initiator.encryption),
                ("cbc.ai", &cbc.from_initiator.integrity),
                ("cbc.er", &cbc.from_responder.encryption),
                ("cbc.ar", &cbc.from_responder.integrity),
                ("gcm.ei", &gcm.from_initiator.encryption),
                ("gcm.er", &gcm.from_responder.encryption),
            ] {
                assert_eq!(
                    found.expose(),
                    case.get(&format!("{name}.{part}")),
                    "{part}"
                );
            }
            assert!(gcm.from_initiator.integrity.is_empty());
            assert_eq!(gcm.of(Side::Responder).0, &gcm.from_responder);
        }
    }
}

// GMAC without encryption and ENCR_NULL: key material of no octets is legal.
#[test]
fn of_children_without_some_keys() {
    let case = &Case::all()[1];
    let keys = initial(case, &gcm(case.prf()));
    for (protocol, encryption, integrity, lengths) in [
        (
            Protocol::Esp,
            Some(Encr::Gmac(AesKey::Aes256)),
            None,
            (36, 0),
        ),
        (
            Protocol::Esp,
            Some(Encr::Null),
            Some(Integ::Mac(Mac::AesXcbc)),
            (0, 16),
        ),
        (
            Protocol::Ah,
            None,
            Some(Integ::Gmac(AesKey::Aes128)),
            (0, 20),
        ),
        (Protocol::Esp, Some(Encr::Null), None, (0, 0)),
    ] {
        let suite = ChildSuite {
            protocol,
            encryption,
            integrity,
            group: None,
            additional: Vec::new(),
            esn: false,
        };
        let child = keys.child(&provider(), &suite, case.nonces(), &[]).unwrap();
        let found = &child.from_responder;
        assert_eq!((found.encryption.len(), found.integrity.len()), lengths);
    }
}

// RFC 8784 §3: SK_d and SK_p through prf+ with the PPK as key; the others stay.
#[test]
fn with_a_post_quantum_preshared_key() {
    for case in Case::all() {
        let keys = initial(&case, &gcm(case.prf()));
        let mixed = keys.with_ppk(&provider(), &case.secret("ppk")).unwrap();
        assert_eq!(mixed.d().expose(), case.get("ppk.d"));
        assert_eq!(mixed.p(Side::Initiator).expose(), case.get("ppk.pi"));
        assert_eq!(mixed.p(Side::Responder).expose(), case.get("ppk.pr"));
        for side in [Side::Initiator, Side::Responder] {
            assert_eq!(mixed.of(side), keys.of(side));
        }
    }
}

// RFC 7296 §2.15: what AUTH is over, and AUTH of a shared secret. RFC 9242 §3.3.2: what IKE_INTERMEDIATE adds.
#[test]
fn authentication() {
    for case in Case::all() {
        let provider = provider();
        let suite = gcm(case.prf());
        let keys = initial(&case, &suite);
        let mixed = |keys: &IkeKeys, shared| {
            keys.mixed(
                &provider,
                &suite,
                case.nonces(),
                case.spis(""),
                &case.secret(shared),
            )
            .unwrap()
        };
        let once = mixed(&keys, "shared1");
        let twice = mixed(&once, "shared2");
        let mut intermediate = IntAuth::new();
        assert!(intermediate.is_empty());
        for (number, keys) in [(0, &keys), (1, &once)] {
            for side in [Side::Initiator, Side::Responder] {
                let response = side == Side::Responder;
                let header = Header {
                    spi_i: case.spis("").initiator,
                    spi_r: case.spis("").responder,
                    exchange: ExchangeType::IKE_INTERMEDIATE,
                    flags: Flags {
                        initiator: !response,
                        response,
                        ..Flags::default()
                    },
                    message_id: number + 1,
                };
                let mut payloads = PayloadWriter::new(100);
                let inner = format!("inner{}", 2 * number + u32::from(response));
                payloads.nonce(case.get(&inner)).unwrap();
                let message = Authenticated::of(&header, &payloads);
                intermediate.add(&provider, keys, side, &message).unwrap();
            }
        }
        let signed = Signed {
            side: Side::Initiator,
            message: case.get("init"),
            nonce: case.get("nr"),
            id: case.get("id"),
            intermediate: None,
        };
        let psk = case.secret("psk");
        for (name, keys, signed) in [
            ("plain", &keys, signed),
            (
                "intermediate",
                &twice,
                Signed {
                    intermediate: Some((&intermediate, 3)),
                    ..signed
                },
            ),
        ] {
            let octets = signed.octets(&provider, keys).unwrap();
            assert_eq!(octets, case.get(&format!("{name}.signed")));
            let auth = psk_auth(&provider, case.prf(), &psk, &octets).unwrap();
            assert_eq!(auth.expose(), case.get(&format!("{name}.auth")));
            let verify =
                |auth: &[u8]| psk_verify(&provider, case.prf(), &psk, &octets, auth).unwrap();
            assert!(verify(auth.expose()).is_ok());
            // Never a part of it, nothing, or anything else.
            assert!(verify(&auth.expose()[..auth.len() - 1]).is_err());
            assert!(verify(&auth.expose()[..8]).is_err());
            assert!(verify(&[]).is_err());
            let mut wrong = auth.expose().to_vec();
            wrong[0] ^= 1;
            assert!(verify(&wrong).is_err());
        }
    }
}

// RFC 7296 §2.23: SHA-1 over SPIs, address and port.
#[test]
fn detection_of_nat() {
    let provider = provider();
    let case = &Case::all()[0];
    let hash =
        |address: &str| nat_detection(&provider, case.spis(""), address.parse().unwrap()).unwrap();
    let expected = |ip: &[u8], port: [u8; 2]| {
        let digest = provider
            .digest(Hash::Sha1, &[case.get("spii"), case.get("spir"), ip, &port])
            .unwrap();
        <[u8; 20]>::try_from(digest.as_ref()).unwrap()
    };
    assert_eq!(hash("192.0.2.1:500"), expected(&[192, 0, 2, 1], [1, 0xf4]));
    let mut v6 = [0; 16];
    (v6[0], v6[1], v6[15]) = (0x20, 0x01, 9);
    assert_eq!(hash("[2001::9]:4500"), expected(&v6, [0x11, 0x94]));
}

// RFC 6290 §4.1, §5.1: tokens of the SPIs.
#[test]
fn tokens_of_quick_crash_detection() {
    use hostward_ike::keys::CrashTokens;
    let case = &Case::all()[0];
    let tokens = CrashTokens::new(&provider(), &Secret::zeros(32)).unwrap();
    let token = tokens.token(case.spis(""));
    assert_eq!(token.len(), CrashTokens::LEN);
    assert_eq!(token, tokens.token(case.spis("")));
    assert_ne!(token, tokens.token(case.spis("new")));
    assert!(CrashTokens::is_same(&token, token.expose()));
    assert!(!CrashTokens::is_same(&token, &token.expose()[..16]));
    assert!(!CrashTokens::is_same(&Secret::default(), &[]));
}
