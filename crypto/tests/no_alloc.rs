//! Nothing that is done for a packet costs an allocation, on any backend.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod common;

use allocation_counter::measure;
use common::{hex, providers};
use hostward_crypto::{Aead, Algorithm, Cipher, Mac, algorithm::AesKey};

#[test]
fn packets_cost_no_allocation() {
    let _ = hex("");
    let mut ran = 0;
    for algorithm in Aead::all() {
        for provider in providers(Algorithm::Aead(algorithm)) {
            let key = provider
                .aead(algorithm, &vec![1; algorithm.key_len()])
                .unwrap();
            let nonce = vec![2; algorithm.nonce_len()];
            let mut tag = vec![0; algorithm.tag_len()];
            for len in [0, 64, 1408, 8192] {
                let mut data = vec![3; len];
                let counted = measure(|| {
                    key.seal(&nonce, b"header", &mut data, &mut tag).unwrap();
                    key.open(&nonce, b"header", &mut data, &tag).unwrap();
                    // What is refused costs none either.
                    let refused = key.open(&nonce, b"header", &mut data, &tag);
                    assert!(refused.is_err() || len == 0);
                });
                assert_eq!(counted.count_total, 0, "{algorithm} {provider:?} {len}");
                ran += 1;
            }
        }
    }
    for algorithm in Cipher::all() {
        for provider in providers(Algorithm::Cipher(algorithm)) {
            let key = provider
                .cipher(algorithm, &vec![1; algorithm.key_len()])
                .unwrap();
            let (iv, mut data) = ([0; 16], [3; 1408]);
            let counted = measure(|| {
                key.encrypt(&iv, &mut data).unwrap();
                key.decrypt(&iv, &mut data).unwrap();
            });
            assert_eq!(counted.count_total, 0, "{algorithm} {provider:?}");
            ran += 1;
        }
    }
    for algorithm in Mac::ALL {
        for provider in providers(Algorithm::Mac(algorithm)) {
            let key = provider
                .mac(algorithm, &vec![1; algorithm.key_len()])
                .unwrap();
            let counted = measure(|| {
                let code = key.code(&[b"header", &[3; 1408]]);
                key.verify(&[b"header", &[3; 1408]], code.as_ref()).unwrap();
            });
            // AWS-LC keeps the state of an HMAC on the heap.
            if provider.name() != "aws-lc-rs" {
                assert_eq!(counted.count_total, 0, "{algorithm} {provider:?}");
            }
            ran += 1;
        }
    }
    for provider in providers(Algorithm::Block(AesKey::Aes128)) {
        let key = provider.block(AesKey::Aes128, &[1; 16]).unwrap();
        assert_eq!(measure(|| key.encrypt(&mut [0; 16])).count_total, 0);
        ran += 1;
    }
    assert!(ran > 50 || cfg!(not(feature = "rustcrypto")), "{ran}");
}
