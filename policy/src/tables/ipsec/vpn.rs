//! Tunnels: manual and dynamic VPN actions, what they offer, how they are started.

use crate::schema::{Family, Keyword, Naming, Parameter, Value};

use super::YES_NO;
use super::address::{ALL, IP_ADDR, IP_ADDR_SET};
use super::endpoint::{LOCAL_SECURITY_ENDPOINT, REMOTE_SECURITY_ENDPOINT};
use super::service::{PORTS, PROTOCOL, TYPES};
use super::time::IP_TIME_CONDITION;

crate::choices! {
    /// How packets are carried.
    pub enum Encapsulation: ENCAPSULATION {
        /// Whole, inside of another packet.
        Tunnel = "Tunnel",
        /// With their own header.
        Transport = "Transport",
    }
}

crate::choices! {
    /// How packets are carried, when the peer may choose.
    pub enum EncapsulationChoice: ENCAPSULATION_CHOICE {
        /// Whole, inside of another packet.
        Tunnel = "Tunnel",
        /// With their own header.
        Transport = "Transport",
        /// As the peer wants.
        Either = "Either",
    }
}

crate::choices! {
    /// How many bits a key has.
    pub enum KeyLength: KEY_LENGTH {
        /// 128 bits.
        Bits128(128) = "128",
        /// 256 bits.
        Bits256(256) = "256",
    }
}

crate::choices! {
    /// Introduces the length of a key.
    pub enum KeyLengthWord: KEY_LENGTH_WORD {
        /// The length of the key in bits.
        KeyLength = "KeyLength" => &KEY_LENGTH,
    }
}

crate::choices! {
    /// Encryption.
    pub enum Encryption: ENCRYPTION {
        /// DES.
        Des = "DES",
        /// Triple DES.
        TripleDes = "3DES",
        /// AES_CBC with a key of 128 bits.
        Aes = "AES",
        /// AES in CBC mode.
        AesCbc = "AES_CBC" => &KEY_LENGTH_WORD,
        /// AES in Galois/counter mode, which authenticates too.
        AesGcm16 = "AES_GCM_16" => &KEY_LENGTH_WORD,
        /// ChaCha20-Poly1305, which authenticates too; an extension to z/OS.
        ChaCha20Poly1305 = "CHACHA20_POLY1305",
        /// No encryption.
        DoNot = "DoNot",
    }
}

crate::choices! {
    /// Encryption with manual keys.
    pub enum ManualEncryption: MANUAL_ENCRYPTION {
        /// DES.
        Des = "DES",
        /// Triple DES.
        TripleDes = "3DES",
        /// AES_CBC with a key of 128 bits.
        Aes = "AES",
        /// AES in CBC mode.
        AesCbc = "AES_CBC" => &KEY_LENGTH_WORD,
        /// No encryption.
        DoNot = "DoNot",
    }
}

crate::choices! {
    /// Authentication of packets.
    pub enum Authentication: AUTHENTICATION {
        /// None, or that of the encryption.
        Null = "Null",
        /// AES-GMAC with a key of 128 bits.
        AesGmac128 = "AES_GMAC_128",
        /// AES-GMAC with a key of 256 bits.
        AesGmac256 = "AES_GMAC_256",
        /// AES-XCBC.
        Aes128Xcbc96 = "AES128_XCBC_96",
        /// HMAC-MD5.
        HmacMd5 = "HMAC_MD5",
        /// HMAC-SHA-1.
        HmacSha1 = "HMAC_SHA1" | "HMAC_SHA",
        /// HMAC-SHA-256, cut to 128 bits.
        HmacSha256 = "HMAC_SHA2_256_128",
        /// HMAC-SHA-384, cut to 192 bits.
        HmacSha384 = "HMAC_SHA2_384_192",
        /// HMAC-SHA-512, cut to 256 bits.
        HmacSha512 = "HMAC_SHA2_512_256",
    }
}

crate::choices! {
    /// The protocol that authenticates.
    pub enum AuthenticationProtocol: AUTHENTICATION_PROTOCOL {
        /// The authentication header.
        Ah(51) = "AH" => &AUTHENTICATION,
        /// ESP.
        Esp(50) = "ESP" => &AUTHENTICATION,
    }
}

crate::choices! {
    /// A Diffie-Hellman group by its IKE number, or none.
    pub enum Group: GROUP {
        /// None.
        None(0) = "None",
        /// 768-bit MODP.
        Group1(1) = "Group1",
        /// 1024-bit MODP.
        Group2(2) = "Group2",
        /// 1536-bit MODP.
        Group5(5) = "Group5",
        /// 2048-bit MODP.
        Group14(14) = "Group14",
        /// 256-bit ECP.
        Group19(19) = "Group19",
        /// 384-bit ECP.
        Group20(20) = "Group20",
        /// 521-bit ECP.
        Group21(21) = "Group21",
        /// 2048-bit MODP with a 256-bit subgroup.
        Group24(24) = "Group24",
        /// 3072-bit MODP; an extension to z/OS.
        Group15(15) = "Group15",
        /// 4096-bit MODP; an extension to z/OS.
        Group16(16) = "Group16",
        /// 6144-bit MODP; an extension to z/OS.
        Group17(17) = "Group17",
        /// 8192-bit MODP; an extension to z/OS.
        Group18(18) = "Group18",
        /// Curve25519; an extension to z/OS.
        Group31(31) = "Group31",
        /// Curve448; an extension to z/OS.
        Group32(32) = "Group32",
        /// ML-KEM-512; an extension to z/OS.
        Group35(35) = "Group35",
        /// ML-KEM-768; an extension to z/OS.
        Group36(36) = "Group36",
        /// ML-KEM-1024; an extension to z/OS.
        Group37(37) = "Group37",
    }
}

crate::choices! {
    /// A group of a key exchange after the first.
    pub enum LaterGroup: LATER_GROUP {
        /// 2048-bit MODP.
        Group14(14) = "Group14",
        /// 3072-bit MODP.
        Group15(15) = "Group15",
        /// 4096-bit MODP.
        Group16(16) = "Group16",
        /// 6144-bit MODP.
        Group17(17) = "Group17",
        /// 8192-bit MODP.
        Group18(18) = "Group18",
        /// Curve25519.
        Group31(31) = "Group31",
        /// Curve448.
        Group32(32) = "Group32",
        /// ML-KEM-512.
        Group35(35) = "Group35",
        /// ML-KEM-768.
        Group36(36) = "Group36",
        /// ML-KEM-1024.
        Group37(37) = "Group37",
        /// 256-bit ECP.
        Group19(19) = "Group19",
        /// 384-bit ECP.
        Group20(20) = "Group20",
        /// 521-bit ECP.
        Group21(21) = "Group21",
    }
}

crate::choices! {
    /// Whether the peer may leave a key exchange out.
    pub enum MayBeLeftOut: MAY_BE_LEFT_OUT {
        /// It may.
        Optional = "Optional",
    }
}

/// A key exchange after the first.
pub(crate) static LATER_EXCHANGE: Value =
    Value::Sequence(&[LATER_GROUP, Value::Optional(&MAY_BE_LEFT_OUT)]);

crate::choices! {
    /// A Diffie-Hellman group of the old form.
    pub enum OldGroup: OLD_GROUP {
        /// None.
        None(0) = "None",
        /// 768-bit MODP.
        Group1(1) = "Group1",
        /// 1024-bit MODP.
        Group2(2) = "Group2",
        /// 1536-bit MODP.
        Group5(5) = "Group5",
        /// 2048-bit MODP.
        Group14(14) = "Group14",
    }
}

crate::choices! {
    /// Who may start a negotiation.
    pub enum Initiation: INITIATION {
        /// This host.
        LocalOnly = "LocalOnly",
        /// The peer.
        RemoteOnly = "RemoteOnly",
        /// Both.
        Either = "Either",
    }
}

crate::choices! {
    /// What the outer header's don't-fragment flag becomes when it is not that of the packet.
    pub enum DontFragment: DONT_FRAGMENT {
        /// It is cleared.
        Clear = "Clear",
        /// It is set.
        Set = "Set",
    }
}

crate::choices! {
    /// Whether the don't-fragment flag is that of the packet.
    pub enum PassthroughDf: PASSTHROUGH_DF {
        /// It is.
        Yes = "Yes",
        /// It is not; cleared if nothing else is said.
        No = "No" => &Value::Optional(&DONT_FRAGMENT),
    }
}

crate::choices! {
    /// From what the selectors of a negotiation are taken.
    pub enum Granularity: GRANULARITY {
        /// From the packet that started it.
        Packet = "Packet",
        /// From the filter rule.
        Rule = "Rule",
    }
}

crate::choices! {
    /// No limit.
    pub enum NoLimit: NO_LIMIT {
        /// No limit.
        None = "None",
    }
}

const MINUTES: Value = Value::Number {
    min: 1,
    max: 9999,
    unit: "minutes",
};
const KILOBYTES: Value = Value::Number {
    min: 1,
    max: 4_194_300,
    unit: "kilobytes",
};
pub(crate) static LIFETIME: Value = MINUTES;
pub(crate) static LIFETIMES: Value = Value::Sequence(&[MINUTES, MINUTES]);
pub(crate) static LIFESIZE: Value = Value::OneOf(&[NO_LIMIT, KILOBYTES]);
pub(crate) static LIFESIZES: Value =
    Value::OneOf(&[NO_LIMIT, Value::Sequence(&[KILOBYTES, KILOBYTES])]);
static VPN_LIFE: Value = Value::Number {
    min: 0,
    max: u32::MAX,
    unit: "minutes",
};
static ENDPOINT: Value = Value::Address(Family::Unmapped);
static KEY: Value = Value::Sequence(&[
    Value::Number {
        min: 256,
        max: u32::MAX,
        unit: "",
    },
    Value::Hex,
]);
static SELECTOR: Value = Value::OneOf(&[
    ALL,
    Value::Prefix(Family::Unmapped),
    Value::Addresses(Family::Unmapped),
    Value::Address(Family::Unmapped),
]);

crate::statements! {
    /// `IpManVpnAction`.
    ip_man_vpn_action: IP_MAN_VPN_ACTION = Statement::new(
        "IpManVpnAction", "A tunnel whose keys are written down.",
    ).naming(Naming::Required) {
        ACTIVE = Parameter::new(&[Keyword::line("Active", &YES_NO)],
            "Whether the tunnel is active from the start; packets for one that is not are dropped.").default("Yes"),
        LOCAL = Parameter::new(
            &[Keyword::line("LocalSecurityEndpointAddr", &ENDPOINT), Keyword::reference("LocalSecurityEndpointAddrRef", &IP_ADDR)],
            "This host's end of the tunnel.").required().unconfirmed(),
        REMOTE = Parameter::new(
            &[Keyword::line("RemoteSecurityEndpointAddr", &ENDPOINT), Keyword::reference("RemoteSecurityEndpointAddrRef", &IP_ADDR)],
            "The other end.").required().unconfirmed(),
        HOW_TO_ENCAP = Parameter::new(&[Keyword::line("HowToEncap", &ENCAPSULATION)],
            "How packets are carried.").default("Tunnel").unconfirmed(),
        HOW_TO_ENCRYPT = Parameter::new(&[Keyword::line("HowToEncrypt", &MANUAL_ENCRYPTION)],
            "Encryption.").default("AES_CBC KeyLength 128").unconfirmed(),
        HOW_TO_AUTH = Parameter::new(&[Keyword::line("HowToAuth", &AUTHENTICATION_PROTOCOL)],
            "Protocol and algorithm of the authentication.").default("ESP HMAC_SHA1").unconfirmed(),
        ENCRYPT_INBOUND = Parameter::new(&[Keyword::line("EncryptInboundSA", &KEY)],
            "Security parameter index and key for opening.").unconfirmed(),
        ENCRYPT_OUTBOUND = Parameter::new(&[Keyword::line("EncryptOutboundSA", &KEY)],
            "Security parameter index and key for sealing.").unconfirmed(),
        AUTH_INBOUND = Parameter::new(&[Keyword::line("AuthInboundSA", &KEY)],
            "Security parameter index and key for checking.").unconfirmed(),
        AUTH_OUTBOUND = Parameter::new(&[Keyword::line("AuthOutboundSA", &KEY)],
            "Security parameter index and key for authenticating.").unconfirmed(),
        PASSTHROUGH_DF = Parameter::new(&[Keyword::line("PassthroughDF", &PASSTHROUGH_DF)],
            "Whether the outer header has the packet's don't-fragment flag.").default("Yes").unconfirmed(),
        PASSTHROUGH_DSCP = Parameter::new(&[Keyword::line("PassthroughDSCP", &YES_NO)],
            "Whether the outer header has the packet's DSCP.").default("Yes").unconfirmed(),
        TIME_CONDITIONS = Parameter::new(
            &[Keyword::block("IpTimeCondition", &IP_TIME_CONDITION), Keyword::reference("IpTimeConditionRef", &IP_TIME_CONDITION)],
            "When the tunnel is installed.").list().absent("always").unconfirmed(),
    }

    /// `IpDataOffer`.
    ip_data_offer: IP_DATA_OFFER = Statement::new("IpDataOffer", "What a dynamic tunnel may use.") {
        HOW_TO_ENCAP = Parameter::new(&[Keyword::line("HowToEncap", &ENCAPSULATION)],
            "How packets are carried.").default("Tunnel"),
        HOW_TO_ENCRYPT = Parameter::new(&[Keyword::line("HowToEncrypt", &ENCRYPTION)],
            "Encryption.").default("AES_CBC KeyLength 128"),
        HOW_TO_AUTH = Parameter::new(&[Keyword::line("HowToAuth", &AUTHENTICATION_PROTOCOL)],
            "Protocol and algorithm of the authentication.").default("ESP HMAC_SHA1"),
        LIFETIME_PROPOSED = Parameter::new(&[Keyword::line("RefreshLifetimeProposed", &LIFETIME)],
            "After how many minutes new keys are wanted.").default("240").unconfirmed(),
        LIFETIME_ACCEPTED = Parameter::new(&[Keyword::line("RefreshLifetimeAccepted", &LIFETIMES)],
            "The least and the most minutes that a peer may want.").default("120 480").unconfirmed(),
        LIFESIZE_PROPOSED = Parameter::new(&[Keyword::line("RefreshLifesizeProposed", &LIFESIZE)],
            "After how many kilobytes new keys are wanted.").default("None").unconfirmed(),
        LIFESIZE_ACCEPTED = Parameter::new(&[Keyword::line("RefreshLifesizeAccepted", &LIFESIZES)],
            "The least and the most kilobytes that a peer may want.").default("None").unconfirmed(),
    }

    /// `IpDynVpnAction`.
    ip_dyn_vpn_action: IP_DYN_VPN_ACTION = Statement::new(
        "IpDynVpnAction", "Tunnels that IKE negotiates.",
    ).naming(Naming::Required) {
        PFS = Parameter::new(&[Keyword::line("Pfs", &OLD_GROUP)],
            "The older form of `InitiateWithPfs` and `AcceptablePfs`."),
        INITIATE_WITH_PFS = Parameter::new(&[Keyword::line("InitiateWithPfs", &GROUP)],
            "The Diffie-Hellman group of a negotiation that this host starts.").default("None"),
        ACCEPTABLE_PFS = Parameter::new(&[Keyword::line("AcceptablePfs", &GROUP)],
            "Groups that are accepted of a peer.").list().default("None"),
        ADDITIONAL = Parameter::new(&[Keyword::line("AdditionalKeyExchange", &LATER_EXCHANGE)],
            "An extension to z/OS (RFC 9370): a key exchange after the first, in order, for instance `Group36` (ML-KEM-768); \
             it goes with every group of `InitiateWithPfs` and `AcceptablePfs`, and not with `None`.").list(),
        INITIATION = Parameter::new(&[Keyword::line("Initiation", &INITIATION)],
            "Who may start a negotiation.").default("Either"),
        VPN_LIFE = Parameter::new(&[Keyword::line("VpnLife", &VPN_LIFE)],
            "For how many minutes a tunnel is refreshed; 0 for ever.").default("1440").unconfirmed(),
        HOW_TO_ENCAP_IKEV2 = Parameter::new(&[Keyword::line("HowToEncapIKEv2", &ENCAPSULATION_CHOICE)],
            "How packets are carried when IKEv2 negotiates; with IKEv1 the offer says it.").default("Either"),
        PASSTHROUGH_DF = Parameter::new(&[Keyword::line("PassthroughDF", &PASSTHROUGH_DF)],
            "Whether the outer header has the packet's don't-fragment flag.").default("Yes"),
        PASSTHROUGH_DSCP = Parameter::new(&[Keyword::line("PassthroughDSCP", &YES_NO)],
            "Whether the outer header has the packet's DSCP.").default("Yes"),
        OFFERS = Parameter::new(
            &[Keyword::block("IpDataOffer", &IP_DATA_OFFER), Keyword::reference("IpDataOfferRef", &IP_DATA_OFFER)],
            "The offers, the preferred one first.").list_not_empty(),
    }

    /// `IpLocalStartAction`.
    ip_local_start_action: IP_LOCAL_START_ACTION = Statement::new(
        "IpLocalStartAction", "What is negotiated when this host starts.",
    ).naming(Naming::Required).unconfirmed() {
        ALLOW_ON_DEMAND = Parameter::new(&[Keyword::line("AllowOnDemand", &YES_NO)],
            "Whether outbound packets may start a negotiation.").absent("as `IpFilterPolicy` says").unconfirmed(),
        LOCAL = Parameter::new(
            &[Keyword::block("LocalSecurityEndpoint", &LOCAL_SECURITY_ENDPOINT), Keyword::reference("LocalSecurityEndpointRef", &LOCAL_SECURITY_ENDPOINT)],
            "This host's end.").absent("the address of the packet or rule").unconfirmed(),
        REMOTE = Parameter::new(
            &[Keyword::block("RemoteSecurityEndpoint", &REMOTE_SECURITY_ENDPOINT), Keyword::reference("RemoteSecurityEndpointRef", &REMOTE_SECURITY_ENDPOINT)],
            "The other end.").absent("the address of the packet or rule").unconfirmed(),
        LOCAL_IP_GRANULARITY = Parameter::new(&[Keyword::line("LocalIpGranularity", &GRANULARITY)],
            "Where the local address comes from.").default("Packet").unconfirmed(),
        REMOTE_IP_GRANULARITY = Parameter::new(&[Keyword::line("RemoteIpGranularity", &GRANULARITY)],
            "Where the remote address comes from.").default("Packet").unconfirmed(),
        LOCAL_PORT_GRANULARITY = Parameter::new(&[Keyword::line("LocalPortGranularity", &GRANULARITY)],
            "Where the local port comes from.").default("Packet").unconfirmed(),
        REMOTE_PORT_GRANULARITY = Parameter::new(&[Keyword::line("RemotePortGranularity", &GRANULARITY)],
            "Where the remote port comes from.").default("Packet").unconfirmed(),
        PROTOCOL_GRANULARITY = Parameter::new(&[Keyword::line("ProtocolGranularity", &GRANULARITY)],
            "Where the protocol comes from.").default("Packet").unconfirmed(),
        ICMP_TYPE_GRANULARITY = Parameter::new(&[Keyword::line("ICMPTypeGranularity", &GRANULARITY)],
            "Where the ICMP type comes from.").default("Packet"),
        ICMP_CODE_GRANULARITY = Parameter::new(&[Keyword::line("ICMPCodeGranularity", &GRANULARITY)],
            "Where the ICMP code comes from.").default("Packet"),
        ICMPV6_TYPE_GRANULARITY = Parameter::new(&[Keyword::line("ICMPv6TypeGranularity", &GRANULARITY)],
            "Where the ICMPv6 type comes from.").default("Packet").unconfirmed(),
        ICMPV6_CODE_GRANULARITY = Parameter::new(&[Keyword::line("ICMPv6CodeGranularity", &GRANULARITY)],
            "Where the ICMPv6 code comes from.").default("Packet").unconfirmed(),
        MIPV6_TYPE_GRANULARITY = Parameter::new(&[Keyword::line("MIPv6TypeGranularity", &GRANULARITY)],
            "Where the type of the mobility header comes from.").default("Packet").unconfirmed(),
    }

    /// `LocalDynVpnRule`.
    local_dyn_vpn_rule: LOCAL_DYN_VPN_RULE = Statement::new(
        "LocalDynVpnRule", "A tunnel that is started by command or by itself.",
    ).naming(Naming::Required) {
        LOCAL = Parameter::new(
            &[
                Keyword::either("LocalIp", &SELECTOR, &IP_ADDR),
                Keyword::reference("LocalIpRef", &IP_ADDR),
                Keyword::either("LocalIpSet", &SELECTOR, &IP_ADDR_SET),
                Keyword::reference("LocalIpSetRef", &IP_ADDR_SET),
            ],
            "Local addresses; a prefix or range asks for tunnel mode.").required(),
        REMOTE = Parameter::new(
            &[
                Keyword::either("RemoteIp", &SELECTOR, &IP_ADDR),
                Keyword::reference("RemoteIpRef", &IP_ADDR),
                Keyword::either("RemoteIpSet", &SELECTOR, &IP_ADDR_SET),
                Keyword::reference("RemoteIpSetRef", &IP_ADDR_SET),
            ],
            "Remote addresses; a prefix or range asks for tunnel mode.").required(),
        LOCAL_DATA_PORT = Parameter::new(&[Keyword::line("LocalDataPort", &PORTS)],
            "Local ports, 0 for all.").default("0"),
        REMOTE_DATA_PORT = Parameter::new(&[Keyword::line("RemoteDataPort", &PORTS)],
            "Remote ports, 0 for all.").default("0"),
        PROTOCOL = Parameter::new(&[Keyword::line("Protocol", &PROTOCOL)],
            "The protocol, by name or number.").default("All"),
        TYPE = Parameter::new(&[Keyword::line("Type", &TYPES)],
            "Types, by the protocol.").default("Any").unconfirmed(),
        CODE = Parameter::new(&[Keyword::line("Code", &TYPES)],
            "Codes of ICMP or ICMPv6.").default("Any").unconfirmed(),
        AUTO_ACTIVATE = Parameter::new(&[Keyword::line("AutoActivate", &YES_NO)],
            "Whether the tunnel is started by itself.").default("No").unconfirmed(),
    }

    /// `LocalDynVpnGroup`.
    local_dyn_vpn_group: LOCAL_DYN_VPN_GROUP = Statement::new(
        "LocalDynVpnGroup", "Tunnels to be started together.",
    ).naming(Naming::Required) {
        RULES = Parameter::new(
            &[Keyword::reference("LocalDynVpnRuleRef", &LOCAL_DYN_VPN_RULE), Keyword::block("LocalDynVpnRule", &LOCAL_DYN_VPN_RULE)],
            "The tunnels.").list_not_empty(),
    }

    /// `LocalDynVpnPolicy`.
    local_dyn_vpn_policy: LOCAL_DYN_VPN_POLICY = Statement::new(
        "LocalDynVpnPolicy", "The tunnels that are started by command or by themselves.",
    ).root() {
        RULES = Parameter::new(
            &[
                Keyword::reference("LocalDynVpnRuleRef", &LOCAL_DYN_VPN_RULE),
                Keyword::block("LocalDynVpnRule", &LOCAL_DYN_VPN_RULE),
                Keyword::reference("LocalDynVpnGroupRef", &LOCAL_DYN_VPN_GROUP),
                Keyword::block("LocalDynVpnGroup", &LOCAL_DYN_VPN_GROUP),
            ],
            "The tunnels and groups of tunnels, in no order.").list(),
    }
}
