//! A key that is elsewhere: a state machine without I/O asks for a signature, goes on with other things, and
//! is handed the answer; a thread plays the module that holds the key.
#![cfg(feature = "rustcrypto")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod common;

use std::sync::mpsc::{TrySendError, sync_channel};

use common::System;
use hostward_crypto::signature::{Remote, Signer, Signing, Ticket};
use hostward_crypto::{Failed, Provider, Random, Scheme, backend};

/// As much of an IKE SA as matters here.
#[derive(Debug, PartialEq)]
enum Sa {
    WaitsForSignature { ticket: Ticket, scheme: Scheme },
    Sends { scheme: Scheme, signature: Vec<u8> },
    Gone,
}

fn begin(key: &dyn Signer, octets: &[u8], random: &mut dyn Random) -> Sa {
    let scheme = key.schemes()[0];
    match key.sign(scheme, octets, random) {
        Ok(Signing::Done(signature)) => Sa::Sends { scheme, signature },
        Ok(Signing::Later(ticket)) => Sa::WaitsForSignature { ticket, scheme },
        Err(Failed) => Sa::Gone,
    }
}

/// The host hands every answer to the SAs; the one that waits for it goes on.
fn answered(sa: &mut Sa, ticket: Ticket, answer: Result<Vec<u8>, Failed>) {
    if let Sa::WaitsForSignature {
        ticket: own,
        scheme,
    } = sa
        && *own == ticket
    {
        *sa = answer.map_or(Sa::Gone, |signature| Sa::Sends {
            scheme: *scheme,
            signature,
        });
    }
}

#[test]
fn a_signature_that_comes_later_is_the_same_as_one_made_here() {
    let provider = Provider::of([backend::RUST_CRYPTO]);
    let pkcs8 = include_bytes!("data/keys/p-384.der");
    let (public, schemes) = {
        let own = provider.signer(pkcs8).unwrap();
        (own.public_key().to_vec(), own.schemes().to_vec())
    };

    // The queue is bounded: what does not fit is refused at once.
    let (ask, asked) = sync_channel::<(Ticket, Scheme, Vec<u8>)>(4);
    let (answer, answers) = sync_channel(4);
    let remote = Remote::new(public.clone(), schemes, move |request| {
        let queued = (request.ticket, request.scheme, request.message.to_vec());
        ask.try_send(queued).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => Failed,
        })
    });

    let messages: Vec<Vec<u8>> = (0..5).map(|number| vec![number; 100]).collect();
    let mut sas: Vec<Sa> = messages
        .iter()
        .map(|octets| begin(&remote, octets, &mut System))
        .collect();
    assert_eq!(sas.pop(), Some(Sa::Gone));
    assert!(
        sas.iter()
            .all(|sa| matches!(sa, Sa::WaitsForSignature { .. }))
    );

    // The module answers when it likes, the last first, and fails once.
    let module = std::thread::spawn(move || {
        let key = Provider::of([backend::RUST_CRYPTO]).signer(pkcs8).unwrap();
        let mut requests: Vec<_> = (0..4).map(|_| asked.recv().unwrap()).collect();
        requests.reverse();
        for (number, (ticket, scheme, octets)) in requests.into_iter().enumerate() {
            let signature = match key.sign(scheme, &octets, &mut System) {
                Ok(Signing::Done(signature)) if number != 2 => Ok(signature),
                _ => Err(Failed),
            };
            answer.send((ticket, signature)).unwrap();
        }
    });
    for (ticket, signature) in answers {
        for sa in &mut sas {
            answered(sa, ticket, signature.clone());
        }
    }
    module.join().unwrap();

    for (number, (sa, octets)) in sas.iter().zip(&messages).enumerate() {
        match sa {
            Sa::Sends { scheme, signature } => {
                let verify = |octets: &[u8]| {
                    provider
                        .verify(*scheme, &public, octets, signature)
                        .unwrap()
                };
                assert_eq!(verify(octets), Ok(()));
                assert_eq!(verify(b"other octets"), Err(Failed));
            }
            Sa::Gone => assert_eq!(number, 1),
            Sa::WaitsForSignature { .. } => panic!("every request was answered"),
        }
    }
    // The module is gone.
    assert_eq!(begin(&remote, b"octets", &mut System), Sa::Gone);
}
