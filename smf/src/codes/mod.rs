//! Numbers with names: codes and flags, one module for each topic.
//!
//! A code is a plain number in a type of its own; numbers that are not in the table survive a
//! round trip and have no name. In the fields of two bytes, 0 is "unknown" and 1 is "none".
//! Algorithms that have no number in these tables are written as unknown, never as a number of
//! our own, and told in an [extension record](crate::Extension). The mark of each table
//! ([`Confidence`]) says how far it can be trusted; to correct one is to edit
//! its line.

mod algorithm;
mod certificate;
mod event;
mod extension;
mod ipsec;
mod ssh;
mod tls;

pub use algorithm::{Authentication, Encryption};
pub use certificate::{
    CertificateEncryption, CertificateTimeType, DigestAlgorithm, KeyType, NameType, SignatureMethod,
};
pub use event::{
    ActionFlags, CryptoFlags, DetailEvent, DetailFlags, FilterAction, IpProtocol, LocalRole,
    Protocols, Reason, SecurityFlags, Source, SummaryEvent, SummaryFlags,
};
pub use extension::ExtensionTag;
pub use ipsec::{
    ActivationMethod, Encapsulation, Group, IkeAuthentication, IkeTunnelFlags, IpTunnelFlags,
    IpTunnelType, MonitorAuthentication, MonitorEncryption, Prf, SecurityProtocol, TunnelFlags,
    TunnelState, TunnelType,
};
pub use ssh::{KexMethod, UserAuthentication};
pub use tls::{FipsMode, HandshakeRole, HandshakeType, KeyExchange, TlsVersion};

use crate::field::{CodeName, Confidence};

/// A table of codes or flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// The type's name.
    pub name: &'static str,
    /// Width in bytes.
    pub len: usize,
    /// Whether these are bits.
    pub is_flags: bool,
    /// How certain the numbers are.
    pub confidence: Confidence,
    /// The numbers.
    pub names: &'static [CodeName],
}

/// All tables.
#[must_use]
pub const fn tables() -> &'static [&'static Table] {
    &[
        &Reason::TABLE,
        &DetailEvent::TABLE,
        &SummaryEvent::TABLE,
        &IpProtocol::TABLE,
        &Protocols::TABLE,
        &DetailFlags::TABLE,
        &SummaryFlags::TABLE,
        &SecurityFlags::TABLE,
        &CryptoFlags::TABLE,
        &Source::TABLE,
        &FilterAction::TABLE,
        &LocalRole::TABLE,
        &ActionFlags::TABLE,
        &TlsVersion::TABLE,
        &HandshakeType::TABLE,
        &HandshakeRole::TABLE,
        &FipsMode::TABLE,
        &KeyExchange::TABLE,
        &Encryption::TABLE,
        &Authentication::TABLE,
        &SignatureMethod::TABLE,
        &CertificateEncryption::TABLE,
        &DigestAlgorithm::TABLE,
        &CertificateTimeType::TABLE,
        &KeyType::TABLE,
        &NameType::TABLE,
        &UserAuthentication::TABLE,
        &KexMethod::TABLE,
        &IkeAuthentication::TABLE,
        &Group::TABLE,
        &Prf::TABLE,
        &TunnelFlags::TABLE,
        &TunnelType::TABLE,
        &TunnelState::TABLE,
        &Encapsulation::TABLE,
        &SecurityProtocol::TABLE,
        &IpTunnelFlags::TABLE,
        &IpTunnelType::TABLE,
        &IkeTunnelFlags::TABLE,
        &MonitorAuthentication::TABLE,
        &MonitorEncryption::TABLE,
        &ActivationMethod::TABLE,
        &ExtensionTag::TABLE,
    ]
}

/// What codes and flags have in common.
macro_rules! table {
    ($(#[$meta:meta])* $mark:ident $name:ident $inner:ty, $flags:literal, $kind:ident {
        $( $value:literal $constant:ident $text:literal, )*
    }) => {
        $(#[$meta])*
        #[doc = concat!("\n\nMark of the numbers: ", stringify!($mark), ".")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(clippy::exhaustive_structs, reason = "the number in the record")]
        pub struct $name(pub $inner);

        impl $name {
            $(
                #[doc = concat!("`", $text, "`")]
                pub const $constant: Self = Self($value);
            )*

            /// The table of its numbers.
            pub const TABLE: super::Table = super::Table {
                name: stringify!($name),
                len: size_of::<$inner>(),
                is_flags: $flags,
                confidence: crate::field::Confidence::$mark,
                names: &[ $( crate::field::CodeName { value: $value, name: $text }, )* ],
            };
        }

        impl crate::field::Field for $name {
            type Raw = <$inner as crate::field::Field>::Raw;
            const LEN: usize = size_of::<$inner>();
            const KIND: crate::field::Kind = crate::field::Kind::$kind(Self::TABLE.names);

            #[inline]
            fn write(&self, raw: &mut Self::Raw) {
                self.0.write(raw);
            }

            #[inline]
            fn read(raw: &Self::Raw) -> Self {
                Self(<$inner as crate::field::Field>::read(raw))
            }
        }
    };
}
use table;

/// A code: one of some numbers.
macro_rules! codes {
    ($(#[$meta:meta])* [$mark:ident] $name:ident : $inner:ty { $( $value:literal $constant:ident $text:literal, )* }) => {
        super::table! { $(#[$meta])* $mark $name $inner, false, Code { $( $value $constant $text, )* } }

        impl $name {
            /// What it means, `None` if the number is not known.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $( $value => Some($text), )*
                    _ => None,
                }
            }
        }

        /// The name, or the number in hexadecimal.
        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{:#x}", self.0),
                }
            }
        }
    };
}
use codes;

/// Flags: any of some bits.
macro_rules! flags {
    ($(#[$meta:meta])* [$mark:ident] $name:ident : $inner:ty { $( $value:literal $constant:ident $text:literal, )* }) => {
        super::table! { $(#[$meta])* $mark $name $inner, true, Flags { $( $value $constant $text, )* } }

        impl $name {
            /// Whether all of these bits are on.
            #[must_use]
            pub const fn contains(self, bits: Self) -> bool {
                self.0 & bits.0 == bits.0
            }

            /// With these bits on as well, if they should be.
            #[must_use]
            pub const fn with(self, bits: Self, on: bool) -> Self {
                if on { Self(self.0 | bits.0) } else { self }
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }
    };
}
use flags;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;
    use std::collections::BTreeSet;

    #[test]
    fn no_number_and_no_name_stands_twice_in_a_table() {
        let mut types = BTreeSet::new();
        for table in tables() {
            assert!(types.insert(table.name), "{}", table.name);
            let (mut values, mut names) = (BTreeSet::new(), BTreeSet::new());
            for code in table.names {
                let width = 8 * table.len as u32;
                assert!(
                    u64::from(code.value) < 1 << width,
                    "{} {code:?}",
                    table.name
                );
                assert!(values.insert(code.value), "{} {code:?}", table.name);
                assert!(names.insert(code.name), "{} {code:?}", table.name);
                if table.is_flags {
                    assert!(code.value.is_power_of_two(), "{} {code:?}", table.name);
                } else if table.len == 2
                    && !["Group", "NameType", "ExtensionTag"].contains(&table.name)
                {
                    // 0 is unknown everywhere, 1 is none in all but versions.
                    assert_eq!(code.value == 0, code.name == "unknown", "{code:?}");
                    if table.name != "TlsVersion" {
                        assert_eq!(code.value == 1, code.name.starts_with("none"), "{code:?}");
                    }
                }
            }
        }
        assert_eq!(types.len(), 43);
    }

    #[test]
    fn unknown_numbers_are_kept_and_shown() {
        assert_eq!(Encryption::AES_GCM_256.to_string(), "AES GCM 256");
        assert_eq!(Encryption(0x8001).to_string(), "0x8001");
        assert_eq!(Encryption(0x8001).name(), None);
    }

    #[test]
    fn flags_are_put_together() {
        let both = Protocols::TLS | Protocols::IPSEC;
        assert!(both.contains(Protocols::TLS) && !both.contains(Protocols::SSH));
        assert_eq!(both.0, 0xa0);
        assert_eq!(both.with(Protocols::SSH, false), both);
        assert_eq!(both.with(Protocols::SSH, true).0, 0xe0);
    }
}
