//! Key exchange: who may negotiate keys, and how.

use crate::schema::{Keyword, Naming, Parameter, Value};

use super::YES_NO;
use super::endpoint::{LOCAL_SECURITY_ENDPOINT, REMOTE_SECURITY_ENDPOINT};
use super::vpn::{KEY_LENGTH_WORD, LATER_EXCHANGE, LIFESIZE, LIFESIZES, LIFETIME, LIFETIMES};

crate::choices! {
    /// How certificates are checked for revocation.
    pub enum Revocation: REVOCATION {
        /// Not at all.
        None = "None",
        /// If the list can be had.
        Loose = "Loose",
        /// Always.
        Strict = "Strict",
    }
}

crate::choices! {
    /// Whether certificates may be sent as addresses.
    pub enum CertificateUrl: CERTIFICATE_URL {
        /// They may.
        Allow = "Allow",
        /// They may not.
        Disallow = "Disallow",
        /// They are followed, and not asked for.
        Tolerate = "Tolerate",
    }
}

crate::choices! {
    /// How a negotiation is started.
    pub enum Initiate: INITIATE {
        /// IKEv1 main mode.
        Main = "Main",
        /// IKEv1 aggressive mode.
        Aggressive = "Aggressive",
        /// IKEv2.
        IkeV2 = "IKEv2",
        /// Not at all.
        DoNot = "DoNot",
    }
}

crate::choices! {
    /// Which modes of IKEv1 are answered.
    pub enum Respond: RESPOND {
        /// Main mode.
        Main = "Main",
        /// Aggressive mode.
        Aggressive = "Aggressive",
        /// Both.
        Either = "Either",
    }
}

crate::choices! {
    /// How this host proves who it is in IKEv2.
    pub enum AuthMe: AUTH_ME {
        /// With a shared key.
        PresharedKey = "PresharedKey",
        /// With an RSA signature.
        RsaSignature = "RsaSignature",
        /// With ECDSA on P-256.
        Ecdsa256 = "ECDSA-256",
        /// With ECDSA on P-384.
        Ecdsa384 = "ECDSA-384",
        /// With ECDSA on P-521.
        Ecdsa521 = "ECDSA-521",
        /// With whichever signature the certificate's key makes.
        DigitalSignature = "DigitalSignature",
    }
}

crate::choices! {
    /// Encryption of IKE's own messages.
    pub enum IkeEncryption: IKE_ENCRYPTION {
        /// DES.
        Des = "DES",
        /// Triple DES.
        TripleDes = "3DES",
        /// AES_CBC with a key of 128 bits.
        Aes = "AES",
        /// AES in CBC mode.
        AesCbc = "AES_CBC" => &KEY_LENGTH_WORD,
        /// AES in Galois/counter mode; IKEv2 only, since z/OS 3.2.
        AesGcm16 = "AES_GCM_16" => &KEY_LENGTH_WORD,
        /// ChaCha20-Poly1305; IKEv2 only, an extension to z/OS.
        ChaCha20Poly1305 = "CHACHA20_POLY1305",
    }
}

crate::choices! {
    /// The hash of IKEv1.
    pub enum AuthMessages: AUTH_MESSAGES {
        /// MD5.
        Md5 = "MD5",
        /// SHA-1.
        Sha1 = "SHA1",
        /// SHA-256.
        Sha256 = "SHA2_256",
        /// SHA-384.
        Sha384 = "SHA2_384",
        /// SHA-512.
        Sha512 = "SHA2_512",
    }
}

crate::choices! {
    /// The integrity of IKEv2 messages.
    pub enum VerifyMessages: VERIFY_MESSAGES {
        /// AES-XCBC.
        Aes128Xcbc96 = "AES128_XCBC_96",
        /// HMAC-MD5.
        HmacMd5 = "HMAC_MD5_96",
        /// HMAC-SHA-1.
        HmacSha1 = "HMAC_SHA1_96",
        /// HMAC-SHA-256, cut to 128 bits.
        HmacSha256 = "HMAC_SHA2_256_128",
        /// HMAC-SHA-384, cut to 192 bits.
        HmacSha384 = "HMAC_SHA2_384_192",
        /// HMAC-SHA-512, cut to 256 bits.
        HmacSha512 = "HMAC_SHA2_512_256",
    }
}

crate::choices! {
    /// The pseudo-random function of IKEv2.
    pub enum RandomFunction: RANDOM_FUNCTION {
        /// AES-XCBC.
        Aes128Xcbc = "AES128_XCBC",
        /// HMAC-MD5.
        HmacMd5 = "HMAC_MD5",
        /// HMAC-SHA-1.
        HmacSha1 = "HMAC_SHA1",
        /// HMAC-SHA-256.
        HmacSha256 = "HMAC_SHA2_256",
        /// HMAC-SHA-384.
        HmacSha384 = "HMAC_SHA2_384",
        /// HMAC-SHA-512.
        HmacSha512 = "HMAC_SHA2_512",
    }
}

crate::choices! {
    /// How peers prove who they are in IKEv1.
    pub enum AuthPeers: AUTH_PEERS {
        /// With a shared key.
        PresharedKey = "PresharedKey",
        /// With an RSA signature.
        RsaSignature = "RsaSignature",
    }
}

crate::choices! {
    /// The Diffie-Hellman group of a key exchange by its IKE number.
    pub enum DhGroup: DH_GROUP {
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

static KEY_TEXT: Value = Value::Rest("the key as text");
static HEX: Value = Value::Hex;

crate::choices! {
    /// How a shared key is written.
    pub enum SharedKey: SHARED_KEY {
        /// As ASCII text.
        Ascii = "Ascii" => &KEY_TEXT,
        /// As EBCDIC text.
        Ebcdic = "Ebcdic" => &KEY_TEXT,
        /// As hexadecimal digits.
        Hex = "Hex" => &HEX,
    }
}

crate::choices! {
    /// What is written as SMF type 119 records.
    pub enum Smf119: SMF119 {
        /// Nothing.
        None = "None",
        /// Everything.
        IkeAll = "IKEALL",
        /// IKE tunnels.
        IkeTunnel = "IKETunnel",
        /// Dynamic tunnels.
        DynTunnel = "DynTunnel",
    }
}

static LABEL: Value = Value::Rest("the label of a certificate on the key ring");
static RING: Value = Value::Word("a key ring such as `iked/keyring`, or `NoKeyRing`");
static LEVEL: Value = number(0, 255, "");
static RETRIES: Value = number(1, 8, "");
static INIT_WAIT: Value = number(1, 15, "seconds");
static SECONDS: Value = number(0, u32::MAX, "seconds");
static TIMES: Value = number(0, u32::MAX, "");

const fn number(min: u32, max: u32, unit: &'static str) -> Value {
    Value::Number { min, max, unit }
}

static KEEP_ALIVE: Value = Value::Number {
    min: 0,
    max: 999,
    unit: "seconds",
};
static LIVENESS: Value = Value::Number {
    min: 0,
    max: u32::MAX,
    unit: "seconds",
};
static REAUTH: Value = Value::Number {
    min: 0,
    max: u32::MAX,
    unit: "minutes",
};

crate::statements! {
    /// `KeyExchangeOffer`.
    key_exchange_offer: KEY_EXCHANGE_OFFER = Statement::new("KeyExchangeOffer", "What a key exchange may use.") {
        HOW_TO_ENCRYPT = Parameter::new(&[Keyword::line("HowToEncrypt", &IKE_ENCRYPTION)],
            "Encryption; `AES_GCM_16` since z/OS 3.2 and only for IKEv2.").default("AES_CBC KeyLength 128"),
        HOW_TO_AUTH_MSGS = Parameter::new(&[Keyword::line("HowToAuthMsgs", &AUTH_MESSAGES)],
            "The hash of IKEv1.").default("SHA1").unconfirmed(),
        HOW_TO_VERIFY_MSGS = Parameter::new(&[Keyword::line("HowToVerifyMsgs", &VERIFY_MESSAGES)],
            "The integrity of IKEv2; not used with `AES_GCM_16`.").default("HMAC_SHA1_96"),
        PSEUDO_RANDOM_FUNCTION = Parameter::new(&[Keyword::line("PseudoRandomFunction", &RANDOM_FUNCTION)],
            "The pseudo-random function of IKEv2.").default("HMAC_SHA1"),
        HOW_TO_AUTH_PEERS = Parameter::new(&[Keyword::line("HowToAuthPeers", &AUTH_PEERS)],
            "How peers prove who they are in IKEv1.").absent("needed for IKEv1").unconfirmed(),
        DH_GROUP = Parameter::new(&[Keyword::line("DHGroup", &DH_GROUP)],
            "The Diffie-Hellman group.").default("Group14").unconfirmed(),
        ADDITIONAL = Parameter::new(&[Keyword::line("AdditionalKeyExchange", &LATER_EXCHANGE)],
            "An extension to z/OS (RFC 9370): a key exchange after the first, in order, for instance `Group36` \
             (ML-KEM-768); `Optional` lets the peer leave it out.").list(),
        LIFETIME_PROPOSED = Parameter::new(&[Keyword::line("RefreshLifetimeProposed", &LIFETIME)],
            "After how many minutes new keys are wanted.").default("480").unconfirmed(),
        LIFETIME_ACCEPTED = Parameter::new(&[Keyword::line("RefreshLifetimeAccepted", &LIFETIMES)],
            "The least and the most minutes that a peer may want.").default("240 1440").unconfirmed(),
        LIFESIZE_PROPOSED = Parameter::new(&[Keyword::line("RefreshLifesizeProposed", &LIFESIZE)],
            "After how many kilobytes new keys are wanted.").default("None"),
        LIFESIZE_ACCEPTED = Parameter::new(&[Keyword::line("RefreshLifesizeAccepted", &LIFESIZES)],
            "The least and the most kilobytes that a peer may want.").default("None"),
    }

    /// `KeyExchangeAction`.
    key_exchange_action: KEY_EXCHANGE_ACTION = Statement::new(
        "KeyExchangeAction", "How keys are negotiated.",
    ).naming(Naming::Required) {
        HOW_TO_INITIATE = Parameter::new(&[Keyword::line("HowToInitiate", &INITIATE)],
            "How a negotiation is started.").required().unconfirmed(),
        HOW_TO_RESPOND = Parameter::new(
            &[Keyword::line("HowToRespondIKEv1", &RESPOND), Keyword::line("HowToRespond", &RESPOND)],
            "Which modes of IKEv1 are answered; IKEv2 always is.").default("Either"),
        HOW_TO_AUTH_ME = Parameter::new(&[Keyword::line("HowToAuthMe", &AUTH_ME)],
            "How this host proves who it is in IKEv2.").default("DigitalSignature"),
        ALLOW_NAT = Parameter::new(&[Keyword::line("AllowNat", &YES_NO)],
            "Whether address translation on the way is dealt with.").absent("as `KeyExchangePolicy` says"),
        REAUTH_INTERVAL = Parameter::new(&[Keyword::line("ReauthInterval", &REAUTH)],
            "After how many minutes the peer must prove anew who it is; 0 for never.").default("0"),
        FILTER_BY_IDENTITY = Parameter::new(&[Keyword::line("FilterByIdentity", &YES_NO)],
            "Whether dynamic filters are bound to the peer's identity.").absent("as `KeyExchangePolicy` says"),
        BYPASS_IP_VALIDATION = Parameter::new(&[Keyword::line("BypassIpValidation", &YES_NO)],
            "Whether an address as identity may differ from the packet's.").absent("as `KeyExchangePolicy` says").unconfirmed(),
        CERTIFICATE_URL = Parameter::new(&[Keyword::line("CertificateURLLookupPreference", &CERTIFICATE_URL)],
            "Whether certificates may be sent as addresses.").absent("as `KeyExchangePolicy` says").unconfirmed(),
        REVOCATION_CHECKING = Parameter::new(&[Keyword::line("RevocationChecking", &REVOCATION)],
            "How certificates are checked for revocation.").absent("as `KeyExchangePolicy` says").unconfirmed(),
        LIVENESS_INTERVAL = Parameter::new(&[Keyword::line("LivenessInterval", &LIVENESS)],
            "After how many seconds of silence the peer is probed; 0 for never.").absent("as `KeyExchangePolicy` says").unconfirmed(),
        OFFERS = Parameter::new(
            &[Keyword::block("KeyExchangeOffer", &KEY_EXCHANGE_OFFER), Keyword::reference("KeyExchangeOfferRef", &KEY_EXCHANGE_OFFER)],
            "The offers, the preferred one first.").list_not_empty(),
    }

    /// `KeyExchangeRule`.
    key_exchange_rule: KEY_EXCHANGE_RULE = Statement::new(
        "KeyExchangeRule", "Between whom keys are negotiated, and how.",
    ).naming(Naming::Required) {
        LOCAL = Parameter::new(
            &[Keyword::block("LocalSecurityEndpoint", &LOCAL_SECURITY_ENDPOINT), Keyword::reference("LocalSecurityEndpointRef", &LOCAL_SECURITY_ENDPOINT)],
            "This host.").required().unconfirmed(),
        REMOTE = Parameter::new(
            &[Keyword::block("RemoteSecurityEndpoint", &REMOTE_SECURITY_ENDPOINT), Keyword::reference("RemoteSecurityEndpointRef", &REMOTE_SECURITY_ENDPOINT)],
            "The peer.").required().unconfirmed(),
        ACTION = Parameter::new(
            &[Keyword::reference("KeyExchangeActionRef", &KEY_EXCHANGE_ACTION), Keyword::block("KeyExchangeAction", &KEY_EXCHANGE_ACTION)],
            "How keys are negotiated.").required().unconfirmed(),
        SHARED_KEY = Parameter::new(&[Keyword::line("SharedKey", &SHARED_KEY)],
            "The key for authentication with a shared key, taken as written to the end of the line."),
        CERTIFICATE = Parameter::new(&[Keyword::line("CertificateLabel", &LABEL)],
            "An extension to z/OS: the label of this host's certificate.").absent("one that is for its identity"),
    }

    /// `KeyExchangeGroup`.
    key_exchange_group: KEY_EXCHANGE_GROUP = Statement::new(
        "KeyExchangeGroup", "Key exchange rules in their order.",
    ).naming(Naming::Required) {
        RULES = Parameter::new(
            &[Keyword::reference("KeyExchangeRuleRef", &KEY_EXCHANGE_RULE), Keyword::block("KeyExchangeRule", &KEY_EXCHANGE_RULE)],
            "The rules, in the order in which they are tried.").list_not_empty(),
    }

    /// `KeyExchangePolicy`.
    key_exchange_policy: KEY_EXCHANGE_POLICY = Statement::new(
        "KeyExchangePolicy", "The key exchange rules that are in force, in the order in which they are tried.",
    ).root() {
        ALLOW_NAT = Parameter::new(&[Keyword::line("AllowNat", &YES_NO)],
            "Whether address translation on the way is dealt with.").default("No"),
        NAT_KEEP_ALIVE_INTERVAL = Parameter::new(&[Keyword::line("NatKeepAliveInterval", &KEEP_ALIVE)],
            "After how many seconds a translation is kept alive; 0 for never.").default("20").unconfirmed(),
        LIVENESS_INTERVAL = Parameter::new(&[Keyword::line("LivenessInterval", &LIVENESS)],
            "After how many seconds of silence a peer of IKEv2 is probed; 0 for never.").default("30").unconfirmed(),
        REVOCATION_CHECKING = Parameter::new(&[Keyword::line("RevocationChecking", &REVOCATION)],
            "How certificates are checked for revocation.").default("Loose").unconfirmed(),
        CERTIFICATE_URL = Parameter::new(&[Keyword::line("CertificateURLLookupPreference", &CERTIFICATE_URL)],
            "Whether certificates may be sent as addresses.").default("Tolerate").unconfirmed(),
        BYPASS_IP_VALIDATION = Parameter::new(&[Keyword::line("BypassIpValidation", &YES_NO)],
            "Whether an address as identity may differ from the packet's.").default("No").unconfirmed(),
        FILTER_BY_IDENTITY = Parameter::new(&[Keyword::line("FilterByIdentity", &YES_NO)],
            "Whether dynamic filters are bound to the peer's identity.").default("No"),
        RULES = Parameter::new(
            &[
                Keyword::reference("KeyExchangeRuleRef", &KEY_EXCHANGE_RULE),
                Keyword::block("KeyExchangeRule", &KEY_EXCHANGE_RULE),
                Keyword::reference("KeyExchangeGroupRef", &KEY_EXCHANGE_GROUP),
                Keyword::block("KeyExchangeGroup", &KEY_EXCHANGE_GROUP),
            ],
            "Rules and groups of rules, in the order in which they are tried.").list(),
    }

    /// `IkeConfig`.
    ike_config: IKE_CONFIG = Statement::new(
        "IkeConfig", "The IKE daemon; z/OS has it in a file of its own.",
    ).root() {
        IKE_SYSLOG_LEVEL = Parameter::new(&[Keyword::line("IkeSyslogLevel", &LEVEL)],
            "What the daemon logs, as a sum.").default("1"),
        PAGENT_SYSLOG_LEVEL = Parameter::new(&[Keyword::line("PagentSyslogLevel", &LEVEL)],
            "What it logs of the Policy Agent.").default("0"),
        SMF119 = Parameter::new(&[Keyword::line("SMF119", &SMF119)],
            "Which records are written.").list().default("None"),
        RETRIES = Parameter::new(&[Keyword::line("IkeRetries", &RETRIES)],
            "How often a message is sent again.").default("6").unconfirmed(),
        INIT_WAIT = Parameter::new(&[Keyword::line("IkeInitWait", &INIT_WAIT)],
            "After how many seconds it is sent again for the first time; each time twice as long.").default("2").unconfirmed(),
        FIPS140 = Parameter::new(&[Keyword::line("FIPS140", &YES_NO)],
            "Whether only algorithms that FIPS 140 allows are used.").default("No"),
        KEY_RING = Parameter::new(&[Keyword::line("KeyRing", &RING)],
            "Where certificates and keys are.").default("iked/keyring"),
        ECHO = Parameter::new(&[Keyword::line("Echo", &YES_NO)],
            "Whether messages go to the job log too.").default("No"),
        NSS_WAIT_LIMIT = Parameter::new(&[Keyword::line("NssWaitLimit", &SECONDS)],
            "How long an answer of the network security server is waited for.").default("60"),
        NSS_WAIT_RETRIES = Parameter::new(&[Keyword::line("NssWaitRetries", &TIMES)],
            "How often it is asked again.").default("3"),
        PAGENT_WAIT = Parameter::new(&[Keyword::line("PagentWait", &SECONDS)],
            "How long the Policy Agent is waited for; 0 for ever.").default("0"),
        AUTHORITIES = Parameter::new(&[Keyword::line("SupportedCertAuth", &LABEL)],
            "The authorities that may have signed a peer's certificate, by the label of theirs.").list()
            .absent("all on the key ring"),
    }
}
