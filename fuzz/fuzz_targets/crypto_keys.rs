//! Whatever a peer or a file says is a key, a signature or a public value: no backend panics, what one
//! takes for a signature the others take too, and what a private key signs its public key checks.
#![no_main]

use hostward_crypto::random::SystemRandom;
use hostward_crypto::signature::Signing;
use hostward_crypto::{Algorithm, Backend, Group, Provider, Scheme, backend};
use libfuzzer_sys::fuzz_target;

const BACKENDS: [&dyn Backend; 3] = [backend::RUST_CRYPTO, backend::RING, backend::AWS_LC];

/// The octets up to a length that stands before them.
fn part<'a>(data: &mut &'a [u8]) -> &'a [u8] {
    let Some(([high, low], rest)) = data.split_first_chunk::<2>() else {
        return std::mem::take(data);
    };
    let len = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
    let (part, rest) = rest.split_at(len);
    *data = rest;
    part
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, mut data)) = data.split_first() else {
        return;
    };
    match kind % 3 {
        0 => {
            let (key, signature) = (part(&mut data), part(&mut data));
            for scheme in Scheme::all() {
                let mut verdicts = BACKENDS
                    .iter()
                    .filter_map(|backend| backend.verify(scheme, key, data, signature));
                let first = verdicts.next();
                assert!(verdicts.all(|other| Some(other) == first), "{scheme}");
            }
        }
        1 => {
            let keys: Vec<_> = BACKENDS
                .iter()
                .filter_map(|backend| backend.signer(data)?.ok())
                .collect();
            for key in &keys {
                assert_eq!(key.public_key(), keys[0].public_key());
                let scheme = key.schemes()[0];
                if let Ok(Signing::Done(signature)) = key.sign(scheme, b"octets", &mut SystemRandom)
                {
                    for backend in BACKENDS {
                        let verdict =
                            backend.verify(scheme, key.public_key(), b"octets", &signature);
                        assert_ne!(verdict, Some(Err(hostward_crypto::Failed)), "{scheme}");
                    }
                }
            }
        }
        _ => {
            let Some((number, public)) = data.split_first() else {
                return;
            };
            let Some(group) = Group::ALL.get(usize::from(*number) % Group::ALL.len()) else {
                return;
            };
            let verdicts: Vec<_> = BACKENDS
                .into_iter()
                .map(|backend| Provider::of([backend]))
                .filter(|provider| provider.supports(Algorithm::Exchange(*group)))
                .map(|provider| {
                    let begun = provider
                        .exchange(*group, &mut SystemRandom)
                        .unwrap()
                        .unwrap();
                    let finished = begun.finish(public).is_ok();
                    let answer = provider.answer(*group, public, &mut SystemRandom).unwrap();
                    (finished, answer.is_ok())
                })
                .collect();
            assert!(
                verdicts.iter().all(|other| *other == verdicts[0]),
                "{group}"
            );
        }
    }
});
