//! Addresses that rules refer to.

use crate::schema::{Family, Keyword, Parameter, Value};

/// One address, mapped ones included: filter rules and identities take them.
pub static ADDRESS: Value = Value::Address(Family::Any);

/// A prefix.
pub static PREFIX: Value = Value::Prefix(Family::Any);

/// A range.
pub static RANGE: Value = Value::Addresses(Family::Any);

/// A prefix or a range.
pub static SET: Value = Value::OneOf(&[Value::Prefix(Family::Any), Value::Addresses(Family::Any)]);

crate::choices! {
    /// Every address.
    pub enum All: ALL {
        /// Every address of both IP versions.
        All = "All",
        /// Every IPv4 address.
        All4 = "All4",
        /// Every IPv6 address.
        All6 = "All6",
    }
}

/// What a rule may say about an end on one line.
pub static END: Value = Value::OneOf(&[
    ALL,
    Value::Prefix(Family::Any),
    Value::Addresses(Family::Any),
    Value::Address(Family::Any),
]);

/// What a rule may say about an end under the keywords of sets on one line.
pub static END_SET: Value = END;

crate::statements! {
    /// `IpAddr`.
    ip_addr: IP_ADDR = Statement::new("IpAddr", "One address.").unconfirmed().shared() {
        ADDR = Parameter::new(&[Keyword::line("Addr", &ADDRESS)], "The address.").required().unconfirmed(),
    }

    /// `IpAddrSet`.
    ip_addr_set: IP_ADDR_SET = Statement::new("IpAddrSet", "The addresses of a prefix or a range.").unconfirmed().shared() {
        ADDRESSES = Parameter::new(
            &[Keyword::line("Prefix", &PREFIX), Keyword::line("Range", &RANGE)],
            "The addresses. Both ends of a range are of one IP version, the lower one first.",
        ).required().unconfirmed(),
    }

    /// `IpAddrGroup`.
    ip_addr_group: IP_ADDR_GROUP = Statement::new("IpAddrGroup", "Addresses and sets of addresses.").unconfirmed().shared() {
        MEMBERS = Parameter::new(
            &[
                Keyword::block("IpAddr", &IP_ADDR),
                Keyword::reference("IpAddrRef", &IP_ADDR),
                Keyword::block("IpAddrSet", &IP_ADDR_SET),
                Keyword::reference("IpAddrSetRef", &IP_ADDR_SET),
            ],
            "The members, in order.",
        ).list_not_empty().unconfirmed(),
    }
}
