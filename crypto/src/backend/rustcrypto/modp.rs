//! Diffie-Hellman in the MODP groups of RFC 3526, with the Montgomery arithmetic of `crypto-bigint`, whose
//! time depends on the lengths only.
//!
//! The primes are safe (p = 2q + 1) and 2 generates the subgroup of order q, so short exponents lose
//! nothing (RFC 2409 §6, RFC 7919 §5.2) and a peer's value between 2 and p-2 leaks one bit of the exponent at
//! most (RFC 6989 §2.1). Exponents have the upper lengths that RFC 3526 §8 estimates, rounded up to
//! whole words: twice the strength of the group on its more optimistic estimate, and more than RFC 7919 §5.2
//! asks for groups of that size.
//!
//! The exponent, the secret and the numbers made here are wiped; `crypto-bigint` does not wipe its
//! table of powers.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use zeroize::Zeroize;

use super::random::draw;
use crate::algorithm::Group;
use crate::error::Failed;
use crate::exchange::{Exchange, SharedSecret};
use crate::random::Random;
use crate::secret::Secret;

mod primes;

/// A group: its prime and the octets of exponents.
struct Modp {
    prime: &'static [u8],
    exponent_len: usize,
}

fn modp(group: Group) -> Option<Modp> {
    // RFC 3526 §8: 320, 420, 480, 540, 620 bits.
    let (prime, exponent_len): (&'static [u8], _) = match group {
        Group::Modp2048 => (&primes::PRIME_2048, 40),
        Group::Modp3072 => (&primes::PRIME_3072, 56),
        Group::Modp4096 => (&primes::PRIME_4096, 64),
        Group::Modp6144 => (&primes::PRIME_6144, 72),
        Group::Modp8192 => (&primes::PRIME_8192, 80),
        Group::P256
        | Group::P384
        | Group::P521
        | Group::X25519
        | Group::X448
        | Group::MlKem512
        | Group::MlKem768
        | Group::MlKem1024
        | Group::X25519MlKem768
        | Group::P256MlKem768
        | Group::P384MlKem1024 => return None,
    };
    Some(Modp {
        prime,
        exponent_len,
    })
}

impl Modp {
    fn bits(&self) -> u32 {
        self.prime.len() as u32 * 8
    }

    fn parameters(&self) -> Option<BoxedMontyParams> {
        let prime = BoxedUint::from_be_slice(self.prime, self.bits()).ok()?;
        // The modulus is no secret.
        let prime: Option<Odd<BoxedUint>> = Odd::new(prime).into();
        prime.map(BoxedMontyParams::new_vartime)
    }

    /// `base` to the power of `exponent`, as long as the prime.
    fn power(
        &self,
        base: BoxedUint,
        exponent: &Secret,
        parameters: &BoxedMontyParams,
    ) -> Option<Secret> {
        let bits = self.exponent_len as u32 * 8;
        let mut exponent = BoxedUint::from_be_slice(exponent.expose(), bits).ok()?;
        let mut power = BoxedMontyForm::new(base, parameters).pow_bounded_exp(&exponent, bits);
        exponent.zeroize();
        let mut number = power.retrieve();
        power.zeroize();
        // RFC 7296 §2.14: padded with zeros to the length of the modulus.
        let octets = Secret::new(number.to_be_bytes().into_vec());
        number.zeroize();
        Some(octets)
    }

    /// RFC 6989 §2.1: between 2 and p-2.
    fn is_public(&self, value: &[u8]) -> bool {
        let (Some((last, head)), Some((_, top))) = (value.split_last(), self.prime.split_last())
        else {
            return false;
        };
        // The prime ends in 64 one bits, so p-1 ends in 0xfe.
        let small = *last < 2 && head.iter().all(|octet| *octet == 0);
        let large = (head, *last) >= (top, 0xfe);
        value.len() == self.prime.len() && !small && !large
    }
}

struct Begun {
    group: Group,
    exponent: Secret,
    parameters: BoxedMontyParams,
    public: Vec<u8>,
}

impl Exchange for Begun {
    fn group(&self) -> Group {
        self.group
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Failed> {
        let modp = modp(self.group).ok_or(Failed)?;
        if !modp.is_public(peer) {
            return Err(Failed);
        }
        let base = BoxedUint::from_be_slice(peer, modp.bits()).map_err(|_| Failed)?;
        modp.power(base, &self.exponent, &self.parameters)
            .ok_or(Failed)
    }
}

/// Begins an exchange. The exponent is what `random` gives, most significant octet first.
pub(super) fn begin(
    group: Group,
    random: &mut dyn Random,
) -> Option<Result<Box<dyn Exchange>, Failed>> {
    let modp = modp(group)?;
    let mut begin = || {
        // 0 and 1 would give a public value that a peer must refuse.
        let exponent = draw(random, modp.exponent_len, |octets| {
            let (last, head) = octets.expose().split_last()?;
            (*last > 1 || head.iter().any(|octet| *octet != 0)).then(|| octets.clone())
        })?;
        let parameters = modp.parameters().ok_or(Failed)?;
        let two = BoxedUint::from_be_slice(&[2], modp.bits()).map_err(|_| Failed)?;
        let public = modp.power(two, &exponent, &parameters).ok_or(Failed)?;
        let begun: Box<dyn Exchange> = Box::new(Begun {
            group,
            exponent,
            parameters,
            public: public.expose().to_vec(),
        });
        Ok(begun)
    };
    Some(begin())
}

/// Whether it is one of these groups.
pub(super) fn supports(group: Group) -> bool {
    modp(group).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Numbers below 16 in words of 32 bits: the integral part, then the fraction, most significant first.
    fn divide(number: &mut [u32], by: u64) {
        let mut rest = 0;
        for word in number {
            let part = rest << 32 | u64::from(*word);
            *word = (part / by) as u32;
            rest = part % by;
        }
    }

    fn add(to: &mut [u32], other: &[u32], negative: bool) {
        let mut carry = i64::from(0_u8);
        for (word, other) in to.iter_mut().zip(other).rev() {
            let other = i64::from(*other);
            let sum = i64::from(*word) + if negative { -other } else { other } + carry;
            *word = sum as u32;
            carry = sum >> 32;
        }
    }

    /// Adds factor * arctan(1/x).
    fn add_arctan(to: &mut [u32], factor: u32, x: u64, negative: bool) {
        let mut power = vec![0; to.len()];
        power[0] = factor;
        divide(&mut power, x);
        let mut negative = negative;
        for odd in (1..).step_by(2) {
            let mut term = power.clone();
            divide(&mut term, odd);
            add(to, &term, negative);
            if power.iter().all(|word| *word == 0) {
                break;
            }
            divide(&mut power, x * x);
            negative = !negative;
        }
    }

    /// RFC 3526: 2^n - 2^(n-64) - 1 + 2^64 * { [2^(n-130) pi] + offset }.
    // RFC 3526 §3: the group of 2048 bits; the others by the same formula.
    #[test]
    fn primes_are_those_of_the_formula() {
        // Machin: pi = 16 arctan(1/5) - 4 arctan(1/239).
        let mut pi = vec![0_u32; 1 + 8192 / 32 + 4];
        add_arctan(&mut pi, 16, 5, false);
        add_arctan(&mut pi, 4, 239, true);
        assert_eq!(pi[..3], [3, 0x243f_6a88, 0x85a3_08d3]);
        // [2^(n-130) pi] has n-128 bits; shifted by 30 the first word is full.
        let shifted: Vec<u32> = pi
            .windows(2)
            .map(|two| two[0] << 30 | two[1] >> 2)
            .collect();
        for (group, offset) in [
            (Group::Modp2048, 124_476),
            (Group::Modp3072, 1_690_314),
            (Group::Modp4096, 240_904),
            (Group::Modp6144, 929_484),
            (Group::Modp8192, 4_743_158),
        ] {
            let prime = modp(group).unwrap().prime;
            let mut middle = shifted[..prime.len() / 4 - 4].to_vec();
            let mut summand = vec![0; middle.len()];
            // The 1 that is taken off at the end fills the last two words and is borrowed here.
            *summand.last_mut().unwrap() = offset - 1;
            add(&mut middle, &summand, false);
            let words = [u32::MAX; 2].into_iter().chain(middle).chain([u32::MAX; 2]);
            let octets: Vec<u8> = words.flat_map(u32::to_be_bytes).collect();
            assert_eq!(octets, prime, "{group}");
        }
    }

    #[test]
    fn public_values_are_between_two_and_p_minus_two() {
        for group in Group::ALL {
            let Some(modp) = modp(group) else { continue };
            let small = |last| {
                let mut value = vec![0; modp.prime.len()];
                *value.last_mut().unwrap() = last;
                value
            };
            let large = |last| {
                let mut value = modp.prime.to_vec();
                *value.last_mut().unwrap() = last;
                value
            };
            assert!(!modp.is_public(&small(0)));
            assert!(!modp.is_public(&small(1)));
            assert!(modp.is_public(&small(2)));
            assert!(modp.is_public(&large(0xfd)));
            assert!(!modp.is_public(&large(0xfe)));
            assert!(!modp.is_public(&large(0xff)));
            assert!(!modp.is_public(&vec![0xff; modp.prime.len()]));
            assert!(!modp.is_public(&small(2)[1..]));
            assert!(!modp.is_public(&[]));
        }
    }
}
