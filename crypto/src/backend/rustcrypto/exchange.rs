//! Every group, with the caller's random numbers.
//!
//! Private keys are what `random` gives: for the curves of SP 800-186 a number as long as the order, most
//! significant octet first, drawn again when it is 0 or not below the order (FIPS 186-5 §A.2.2); for X25519
//! and X448 the octets of RFC 7748 §5, clamped when used; for ML-KEM d and z, and for an answer m (FIPS 203 §7).
//! They are wiped, as are shared secrets; what the crates compute on their stack is not.

use alloc::boxed::Box;
use alloc::vec::Vec;

use ml_kem::kem::{Decapsulate as _, KeyExport as _};
use ml_kem::{EncapsulationKey, MlKem512, MlKem768, MlKem1024};
use p256::NistP256;
use p256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use p256::elliptic_curve::{
    AffinePoint, CurveArithmetic, FieldBytesSize, PublicKey, SecretKey, ecdh,
};
use p384::NistP384;
use p521::NistP521;
use x25519_dalek::{PublicKey as X25519Public, StaticSecret};
use zeroize::Zeroize as _;

use super::modp;
use super::random::draw;
use crate::algorithm::Group;
use crate::error::Failed;
use crate::exchange::{Answer, Exchange, SharedSecret};
use crate::random::Random;

pub(super) fn supports(group: Group) -> bool {
    match group {
        Group::P256
        | Group::P384
        | Group::P521
        | Group::X25519
        | Group::MlKem512
        | Group::MlKem768
        | Group::MlKem1024 => true,
        Group::X448 => cfg!(feature = "x448"),
        Group::Modp2048 | Group::Modp3072 | Group::Modp4096 | Group::Modp6144 | Group::Modp8192 => {
            modp::supports(group)
        }
        Group::X25519MlKem768 | Group::P256MlKem768 | Group::P384MlKem1024 => false,
    }
}

/// A private key that gives a secret once.
trait Private: Send {
    fn agree(&self, peer: &[u8]) -> Result<SharedSecret, Failed>;
}

struct Begun<P> {
    group: Group,
    private: P,
    public: Vec<u8>,
}

impl<P: Private> Exchange for Begun<P> {
    fn group(&self) -> Group {
        self.group
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Failed> {
        self.private.agree(peer)
    }
}

fn begun<P: Private + 'static>(group: Group, private: P, public: &[u8]) -> Box<dyn Exchange> {
    Box::new(Begun {
        group,
        private,
        public: public.to_vec(),
    })
}

impl<C> Private for SecretKey<C>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    fn agree(&self, peer: &[u8]) -> Result<SharedSecret, Failed> {
        // Another length would be another form of the point.
        if peer.len() != 2 * self.to_bytes().len() {
            return Err(Failed);
        }
        // RFC 5903 §9, SP 800-56A §5.6.2.3: on the curve and not its zero, which has another form.
        let peer = PublicKey::<C>::from_sec1_bytes(&[&[4], peer].concat()).map_err(|_| Failed)?;
        let secret = ecdh::diffie_hellman(self.to_nonzero_scalar(), peer.as_affine());
        Ok(SharedSecret::copy(secret.raw_secret_bytes()))
    }
}

fn curve<C>(group: Group, random: &mut dyn Random) -> Result<Box<dyn Exchange>, Failed>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
    SecretKey<C>: Send,
{
    let key = draw(random, group.secret_len(), |octets| {
        if let (Group::P521, Some(first)) = (group, octets.expose_mut().first_mut()) {
            // The order has 521 bits.
            *first &= 1;
        }
        SecretKey::<C>::from_slice(octets.expose()).ok()
    })?;
    let public = key.public_key().to_sec1_point(false);
    let public = public.as_bytes().strip_prefix(&[4]).ok_or(Failed)?;
    Ok(begun(group, key, public))
}

impl Private for StaticSecret {
    fn agree(&self, peer: &[u8]) -> Result<SharedSecret, Failed> {
        let peer: [u8; 32] = peer.try_into().map_err(|_| Failed)?;
        let secret = self.diffie_hellman(&X25519Public::from(peer));
        // RFC 7748 §6.1: a point of small order gives zeros.
        if secret.was_contributory() {
            Ok(SharedSecret::copy(secret.as_bytes()))
        } else {
            Err(Failed)
        }
    }
}

fn x25519(random: &mut dyn Random) -> Result<Box<dyn Exchange>, Failed> {
    let key = draw(random, 32, |octets| {
        let mut octets: [u8; 32] = octets.expose().try_into().ok()?;
        let key = StaticSecret::from(octets);
        octets.zeroize();
        Some(key)
    })?;
    let public = X25519Public::from(&key);
    Ok(begun(Group::X25519, key, public.as_bytes()))
}

#[cfg(feature = "x448")]
mod curve448 {
    use super::{Private, begun};
    use crate::algorithm::Group;
    use crate::error::Failed;
    use crate::exchange::{Exchange, SharedSecret};
    use crate::random::Random;
    use crate::secret::Secret;
    use alloc::boxed::Box;
    use zeroize::Zeroizing;

    struct Scalar(Secret);

    impl Scalar {
        fn times(&self, point: [u8; 56]) -> Option<Zeroizing<[u8; 56]>> {
            let scalar = Zeroizing::new(<[u8; 56]>::try_from(self.0.expose()).ok()?);
            // RFC 7748 §6.2: it refuses points of small order.
            x448::x448(*scalar, point).map(Zeroizing::new)
        }
    }

    impl Private for Scalar {
        fn agree(&self, peer: &[u8]) -> Result<SharedSecret, Failed> {
            let secret = self
                .times(peer.try_into().map_err(|_| Failed)?)
                .ok_or(Failed)?;
            // Whatever it refuses: no secret is all zeros.
            if secret.iter().fold(0, |all, octet| all | octet) == 0 {
                return Err(Failed);
            }
            Ok(SharedSecret::copy(&*secret))
        }
    }

    pub(super) fn begin(random: &mut dyn Random) -> Result<Box<dyn Exchange>, Failed> {
        let mut scalar = Scalar(Secret::zeros(56));
        random.fill(scalar.0.expose_mut())?;
        let public = scalar.times(x448::X448_BASEPOINT_BYTES).ok_or(Failed)?;
        Ok(begun(Group::X448, scalar, &*public))
    }
}

/// ML-KEM of one size.
macro_rules! ml_kem {
    ($begin:ident, $answer:ident, $size:ty, $group:expr) => {
        impl Private for ml_kem::DecapsulationKey<$size> {
            fn agree(&self, peer: &[u8]) -> Result<SharedSecret, Failed> {
                let mut secret = self.decapsulate_slice(peer).map_err(|_| Failed)?;
                let copy = SharedSecret::copy(&secret);
                secret.zeroize();
                Ok(copy)
            }
        }

        fn $begin(random: &mut dyn Random) -> Result<Box<dyn Exchange>, Failed> {
            let key = draw(random, 64, |octets| {
                let mut seed = ml_kem::Seed::try_from(octets.expose()).ok()?;
                let key = ml_kem::DecapsulationKey::<$size>::from_seed(seed);
                seed.zeroize();
                Some(key)
            })?;
            let public = key.encapsulation_key().to_bytes();
            Ok(begun($group, key, &public))
        }

        fn $answer(peer: &[u8], random: &mut dyn Random) -> Result<Answer, Failed> {
            // FIPS 203 §7.2: the length, and that every number is below the modulus.
            let peer = peer.try_into().map_err(|_| Failed)?;
            let key = EncapsulationKey::<$size>::new(peer).map_err(|_| Failed)?;
            let (public, mut secret) = draw(random, 32, |octets| {
                let mut m = ml_kem::B32::try_from(octets.expose()).ok()?;
                let both = key.encapsulate_deterministic(&m);
                m.zeroize();
                Some(both)
            })?;
            let answer = Answer {
                public: public.to_vec(),
                secret: SharedSecret::copy(&secret),
            };
            secret.zeroize();
            Ok(answer)
        }
    };
}

ml_kem!(begin_512, answer_512, MlKem512, Group::MlKem512);
ml_kem!(begin_768, answer_768, MlKem768, Group::MlKem768);
ml_kem!(begin_1024, answer_1024, MlKem1024, Group::MlKem1024);

/// Begins an exchange.
pub(super) fn begin(
    group: Group,
    random: &mut dyn Random,
) -> Option<Result<Box<dyn Exchange>, Failed>> {
    Some(match group {
        Group::P256 => curve::<NistP256>(group, random),
        Group::P384 => curve::<NistP384>(group, random),
        Group::P521 => curve::<NistP521>(group, random),
        Group::X25519 => x25519(random),
        #[cfg(feature = "x448")]
        Group::X448 => curve448::begin(random),
        #[cfg(not(feature = "x448"))]
        Group::X448 => return None,
        Group::MlKem512 => begin_512(random),
        Group::MlKem768 => begin_768(random),
        Group::MlKem1024 => begin_1024(random),
        Group::Modp2048 | Group::Modp3072 | Group::Modp4096 | Group::Modp6144 | Group::Modp8192 => {
            return modp::begin(group, random);
        }
        Group::X25519MlKem768 | Group::P256MlKem768 | Group::P384MlKem1024 => return None,
    })
}

/// Answers an exchange.
pub(super) fn answer(
    group: Group,
    peer: &[u8],
    random: &mut dyn Random,
) -> Option<Result<Answer, Failed>> {
    Some(match group {
        Group::MlKem512 => answer_512(peer, random),
        Group::MlKem768 => answer_768(peer, random),
        Group::MlKem1024 => answer_1024(peer, random),
        Group::Modp2048
        | Group::Modp3072
        | Group::Modp4096
        | Group::Modp6144
        | Group::Modp8192
        | Group::P256
        | Group::P384
        | Group::P521
        | Group::X25519
        | Group::X448
        | Group::X25519MlKem768
        | Group::P256MlKem768
        | Group::P384MlKem1024 => begin(group, random)?.and_then(|own| {
            let public = own.public().to_vec();
            Ok(Answer {
                public,
                secret: own.finish(peer)?,
            })
        }),
    })
}
