//! After a real key exchange: arbitrary plaintext, spoilt ciphertext, and fragments in any order.

#![no_main]

use std::sync::OnceLock;

use hostward_crypto::algorithm::AesKey;
use hostward_crypto::random::SystemRandom;
use hostward_crypto::{Aead, Cipher, Group, Hash, Mac, Prf, Provider, backend};
use hostward_ike::keys::{IkeKeys, Nonces, Side, Spis};
use hostward_ike::message::{
    ExchangeType, Flags, Header, IkeSpi, Limits, Message, PayloadType, PayloadWriter,
};
use hostward_ike::proposal::{Encr, IkeSuite, Integ};
use hostward_ike::protect::{
    Authenticated, FragmentLimits, OpenError, Opener, Progress, Reassembly, Sealer,
};
use libfuzzer_sys::fuzz_target;

const SPIS: Spis = Spis {
    initiator: IkeSpi([1; 8]),
    responder: IkeSpi([2; 8]),
};

type Association = (Provider, IkeSuite, IkeKeys);

fn associations() -> &'static [Association; 2] {
    static KEYS: OnceLock<[Association; 2]> = OnceLock::new();
    KEYS.get_or_init(|| {
        [
            (Encr::Aead(Aead::AES_128_GCM), None),
            (
                Encr::Cipher(Cipher::AesCbc(AesKey::Aes256)),
                Some(Integ::Mac(Mac::Hmac(Hash::Sha256))),
            ),
        ]
        .map(|(encryption, integrity)| {
            let provider = Provider::of([backend::RUST_CRYPTO]);
            let suite = IkeSuite {
                encryption,
                prf: Prf::Hmac(Hash::Sha256),
                integrity,
                group: Group::X25519,
                additional: Vec::new(),
            };
            let random = &mut SystemRandom;
            let begun = provider.exchange(suite.group, random).unwrap().unwrap();
            let answer = provider
                .answer(suite.group, begun.public(), random)
                .unwrap()
                .unwrap();
            let nonces = Nonces {
                initiator: &[3; 32],
                responder: &[4; 32],
            };
            let keys = IkeKeys::initial(&provider, &suite, nonces, SPIS, &answer.secret).unwrap();
            (provider, suite, keys)
        })
    })
}

fn pair(which: usize) -> (Sealer, Opener) {
    let (provider, suite, keys) = &associations()[which % 2];
    let (sealer, _) = keys.protection(provider, suite, Side::Initiator).unwrap();
    let (_, opener) = keys.protection(provider, suite, Side::Responder).unwrap();
    (sealer, opener)
}

fuzz_target!(|input: &[u8]| {
    let Some((&[mode, kind, first, second], rest)) = input.split_first_chunk::<4>() else {
        return;
    };
    let (mut sealer, opener) = pair(usize::from(mode >> 7));
    let limits = Limits::default();
    let header = Header {
        spi_i: SPIS.initiator,
        spi_r: SPIS.responder,
        exchange: ExchangeType::IKE_AUTH,
        flags: Flags {
            initiator: true,
            ..Flags::default()
        },
        message_id: 1,
    };
    let random = &mut SystemRandom;
    // One payload of any type with any body, whose body is the rest, or which more payloads follow in it.
    let mut payloads = PayloadWriter::new(60_000);
    let kind = PayloadType(33 + kind % 24);
    let (body, more) = rest.split_at(rest.len().min(usize::from(second)));
    if payloads.payload(kind, &[body]).is_err()
        || payloads
            .notify(hostward_ike::message::NotifyType(u16::from(first)), more)
            .is_err()
    {
        return;
    }
    let expected = Authenticated::of(&header, &payloads);
    match mode & 3 {
        0 => {
            let octets = sealer.seal(&header, &payloads, random).unwrap();
            let message = Message::parse(&octets, &limits).unwrap();
            let opened = opener.open(&message).unwrap();
            assert_eq!(opened.authenticated(), expected);
            match opened.payloads(&limits) {
                Ok(payloads) => {
                    let _ = payloads.iter().count();
                }
                Err(error) => assert!(error.notify().is_some()),
            }
        }
        1 => {
            let mut octets = sealer.seal(&header, &payloads, random).unwrap();
            let at = usize::from(u16::from_be_bytes([first, second])) % octets.len();
            octets[at] ^= (mode >> 2 & 31) + 1;
            if let Ok(message) = Message::parse(&octets, &limits) {
                assert!(matches!(
                    opener.open(&message),
                    Err(OpenError::NotAuthentic | OpenError::NotEncrypted)
                ));
            }
        }
        2 => {
            // A message of any length that was never sealed.
            let mut octets = header
                .octets(PayloadType::SK, (28 + 4 + rest.len()) as u32)
                .to_vec();
            octets.extend([kind.0, 0]);
            octets.extend(((4 + rest.len()) as u16).to_be_bytes());
            octets.extend(rest);
            if let Ok(message) = Message::parse(&octets, &limits) {
                assert_eq!(opener.open(&message), Err(OpenError::NotAuthentic));
            }
        }
        _ => {
            let mut sent = Vec::new();
            for limit in [100 + usize::from(first), 130 + usize::from(second)] {
                match sealer.seal_fragments(&header, &payloads, limit, random) {
                    // Who cuts anew has another total (RFC 7383 §2.5.2): equal ones would mix.
                    Ok(fragments) if fragments.len() != sent.len() => sent.extend(fragments),
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
            let mut reassembly = Reassembly::new(FragmentLimits {
                fragments: 64,
                octets: 4096,
            });
            // The input says in which order they come, then they come in order.
            let order = rest.iter().map(|at| usize::from(*at) % sent.len());
            let mut complete = false;
            for at in order.chain(0..sent.len()) {
                let message = Message::parse(&sent[at], &limits).unwrap();
                if message.encrypted().is_some() {
                    return;
                }
                if let Ok(Progress::Complete(opened)) = reassembly.add(&opener, &message) {
                    assert_eq!(opened.authenticated(), expected);
                    complete = true;
                }
                assert!(reassembly.octets() <= 4096);
            }
            let fits = sent.iter().all(|octets| {
                Message::parse(octets, &limits)
                    .unwrap()
                    .fragment()
                    .is_some_and(|fragment| fragment.total <= 64)
            });
            assert!(complete || !fits || payloads.octets().len() > 4096);
        }
    }
});
