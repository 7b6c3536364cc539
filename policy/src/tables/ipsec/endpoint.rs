//! The two ends of a tunnel.

use crate::schema::{Family, Keyword, Parameter, Value};

use super::address::ALL;

static HOST: Value = Value::Word("a host name");
static USER: Value = Value::Word("a user and host name such as `user@example.com`");
static DN: Value = Value::Rest("a distinguished name such as `CN=host,O=Example`");
static KEY_ID: Value = Value::Rest("a key identifier");
static LABEL: Value = Value::Rest("the label of a certificate on the key ring");
static PEERS: Value = Value::OneOf(&[
    ALL,
    Value::Prefix(Family::Any),
    Value::Addresses(Family::Any),
    Value::Address(Family::Any),
]);
static LOCATION: Value = Value::OneOf(&[
    ALL,
    Value::Prefix(Family::Unmapped),
    Value::Addresses(Family::Unmapped),
    Value::Address(Family::Unmapped),
]);

crate::choices! {
    /// What an identity is.
    pub enum Identity: IDENTITY {
        /// An address (for a peer also several).
        IpAddr = "IpAddr" => &PEERS,
        /// A host name.
        Fqdn = "Fqdn" => &HOST,
        /// A user at a host.
        UserAtFqdn = "UserAtFqdn" => &USER,
        /// A distinguished name.
        X500dn = "X500dn" => &DN,
        /// Any text; IKEv2 only.
        KeyId = "KeyId" => &KEY_ID,
    }
}

crate::statements! {
    /// `LocalSecurityEndpoint`.
    local_security_endpoint: LOCAL_SECURITY_ENDPOINT = Statement::new(
        "LocalSecurityEndpoint", "This host as IKE shows it.",
    ) {
        IDENTITY = Parameter::new(&[Keyword::line("Identity", &IDENTITY)],
            "Who this host says it is.").unconfirmed(),
        LOCATION = Parameter::new(&[Keyword::line("Location", &LOCATION)],
            "The addresses that IKE uses.").unconfirmed(),
    }

    /// `RemoteSecurityEndpoint`.
    remote_security_endpoint: REMOTE_SECURITY_ENDPOINT = Statement::new(
        "RemoteSecurityEndpoint", "A peer of IKE.",
    ) {
        IDENTITY = Parameter::new(&[Keyword::line("Identity", &IDENTITY)],
            "Who the peer says it is.").unconfirmed(),
        LOCATION = Parameter::new(&[Keyword::line("Location", &LOCATION)],
            "Where its packets come from.").unconfirmed(),
        CA_LABELS = Parameter::new(&[Keyword::line("CaLabel", &LABEL)],
            "The authorities that may have signed its certificate, by the label of theirs.").list()
            .absent("those that the IKE daemon supports"),
    }
}
