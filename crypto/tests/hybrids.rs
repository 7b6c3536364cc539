//! Hybrid key exchanges against another implementation: rustls, both ways.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]
#![cfg(feature = "rustcrypto")]

mod common;

use common::System;
use hostward_crypto::{Group, Provider, backend};
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs::kx_group::{SECP256R1MLKEM768, X25519MLKEM768};

#[test]
fn rustls_agrees() {
    let provider = Provider::of([backend::RUST_CRYPTO]);
    let groups: [(Group, &dyn SupportedKxGroup); 2] = [
        (Group::X25519MlKem768, X25519MLKEM768),
        (Group::P256MlKem768, SECP256R1MLKEM768),
    ];
    for (group, theirs) in groups {
        let own = provider.exchange(group, &mut System).unwrap().unwrap();
        let answer = theirs.start_and_complete(own.public()).unwrap();
        let secret = own.finish(&answer.pub_key).unwrap();
        assert_eq!(secret.expose(), answer.secret.secret_bytes(), "{group}");

        let begun = theirs.start().unwrap();
        let answer = provider.answer(group, begun.pub_key(), &mut System);
        let answer = answer.unwrap().unwrap();
        let secret = begun.complete(&answer.public).unwrap();
        assert_eq!(secret.secret_bytes(), answer.secret.expose(), "{group}");
    }
}
