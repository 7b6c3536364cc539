//! What comes to the port of ESP in UDP (RFC 3948).

/// The port that IKE and ESP share behind NATs (RFC 3948 §2.1, RFC 7296 §2.23).
pub const PORT: u16 = 4500;

/// What keeps the mapping of a NAT alive: the whole UDP payload (RFC 3948 §2.3).
pub const KEEPALIVE: [u8; 1] = [0xff];

/// What a UDP payload on [`PORT`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 3948 §2 knows these")]
pub enum Payload {
    /// ESP with this SPI, from the payload's beginning on.
    Esp {
        /// Security parameters index, never 0.
        spi: u32,
    },
    /// IKE: its message begins behind four zero octets, the non-ESP marker.
    Ike,
    /// A keepalive, to be ignored.
    Keepalive,
    /// Too short to be anything.
    Other,
}

impl Payload {
    /// Tells them apart.
    ///
    /// RFC 3948 §2.2, §2.3: IKE begins with four zeros where ESP has its SPI; a keepalive is one octet.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        match payload {
            [0xff] => Self::Keepalive,
            [0, 0, 0, 0, ..] => Self::Ike,
            [a, b, c, d, ..] => Self::Esp {
                spi: u32::from_be_bytes([*a, *b, *c, *d]),
            },
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3948 §2.1, §2.2, §2.3.
    #[test]
    fn payloads_are_told_apart() {
        assert_eq!(Payload::of(&KEEPALIVE), Payload::Keepalive);
        assert_eq!(Payload::of(&[0xff, 0xff]), Payload::Other);
        assert_eq!(Payload::of(&[]), Payload::Other);
        assert_eq!(Payload::of(&[0, 0, 0]), Payload::Other);
        assert_eq!(Payload::of(&[0; 28]), Payload::Ike);
        assert_eq!(Payload::of(&[0, 0, 1, 0, 9]), Payload::Esp { spi: 256 });
        assert_eq!(PORT, 4500);
    }
}
