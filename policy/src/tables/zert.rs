//! Enforcement of how connections are protected (zERT).
//!
//! The words inside of the statements are not confirmed: they follow those of AT-TLS policies.

use crate::schema::{Discipline, Family, Keyword, Parameter, Value};

use super::ipsec::YES_NO;
use super::ipsec::address::{ALL, IP_ADDR, IP_ADDR_GROUP, IP_ADDR_SET};

crate::choices! {
    /// What protects a connection.
    pub enum Protocol: PROTOCOL {
        /// TLS or SSL.
        Tls = "TLS" | "SSL",
        /// SSH.
        Ssh = "SSH",
        /// IPsec.
        IpSec = "IPSec",
        /// Nothing that is recognised; conditions make no sense.
        None = "None",
    }
}

crate::choices! {
    /// How the parameters of a protection go together.
    pub enum MatchOf: MATCH {
        /// Every parameter must hold.
        All = "All",
        /// One that holds suffices.
        Any = "Any",
    }
}

crate::choices! {
    /// Who opened the TCP connection.
    pub enum Direction: DIRECTION {
        /// The other end.
        Inbound = "Inbound",
        /// This host.
        Outbound = "Outbound",
        /// Either.
        Both = "Both",
    }
}

crate::choices! {
    /// Ciphers by their parts: each stands for all names that have its parts.
    pub enum Cipher: CIPHER {
        /// No encryption.
        Null = "NULL",
        /// RC2 with any key.
        Rc2 = "RC2",
        /// RC4 with any key.
        Rc4 = "RC4",
        /// Single DES.
        Des = "DES",
        /// Triple DES.
        TripleDes = "3DES",
        /// IDEA.
        Idea = "IDEA",
        /// SEED.
        Seed = "SEED",
        /// Blowfish.
        Blowfish = "BLOWFISH",
        /// Camellia.
        Camellia = "CAMELLIA",
        /// ARIA.
        Aria = "ARIA",
        /// SM4.
        Sm4 = "SM4",
        /// AES in any mode.
        Aes = "AES",
        /// AES with 128 bits.
        Aes128 = "AES-128",
        /// AES with 192 bits.
        Aes192 = "AES-192",
        /// AES with 256 bits.
        Aes256 = "AES-256",
        /// ChaCha20-Poly1305.
        ChaCha20 = "ChaCha20-Poly1305",
        /// Any cipher in CBC mode.
        Cbc = "CBC",
        /// Any cipher in CTR mode.
        Ctr = "CTR",
        /// Any cipher in GCM mode.
        Gcm = "GCM",
        /// Any cipher in CCM mode with a full tag.
        Ccm = "CCM",
        /// Any cipher in CCM mode with a tag of eight bytes.
        Ccm8 = "CCM8",
        /// AES in CBC mode.
        AesCbc = "AES-CBC",
        /// AES in GCM mode.
        AesGcm = "AES-GCM",
    }
}

crate::choices! {
    /// Message authentication.
    pub enum Mac: MAC {
        /// None.
        Null = "NULL",
        /// HMAC with MD5.
        HmacMd5 = "HMAC-MD5",
        /// HMAC with SHA-1.
        HmacSha1 = "HMAC-SHA1",
        /// HMAC with SHA-256.
        HmacSha256 = "HMAC-SHA256",
        /// HMAC with SHA-384.
        HmacSha384 = "HMAC-SHA384",
        /// HMAC with SHA-512.
        HmacSha512 = "HMAC-SHA512",
        /// AES-XCBC.
        AesXcbc = "AES-XCBC",
        /// AES-CMAC.
        AesCmac = "AES-CMAC",
        /// The cipher authenticates by itself.
        Aead = "AEAD",
    }
}

crate::choices! {
    /// Key exchanges of TLS.
    pub enum KeyExchange: KEY_EXCHANGE {
        /// The secret is encrypted to the server's RSA key.
        Rsa = "RSA",
        /// The same with an export key.
        RsaExport = "RSA_EXPORT",
        /// RSA and a pre-shared key.
        RsaPsk = "RSA_PSK",
        /// Any without authentication.
        Anon = "ANON",
        /// Any with export keys.
        Export = "EXPORT",
        /// Any with a pre-shared key.
        Psk = "PSK",
        /// Any static Diffie-Hellman.
        Dh = "DH",
        /// Any ephemeral Diffie-Hellman in a finite field.
        Dhe = "DHE",
        /// Any static Diffie-Hellman on a curve.
        Ecdh = "ECDH",
        /// Any ephemeral Diffie-Hellman on a curve, or a hybrid one.
        Ecdhe = "ECDHE",
        /// Ephemeral Diffie-Hellman in a finite field, signed with RSA.
        DheRsa = "DHE_RSA",
        /// Ephemeral Diffie-Hellman in a finite field, signed with DSS.
        DheDss = "DHE_DSS",
        /// Ephemeral Diffie-Hellman on a curve, signed with RSA.
        EcdheRsa = "ECDHE_RSA",
        /// Ephemeral Diffie-Hellman on a curve, signed with ECDSA.
        EcdheEcdsa = "ECDHE_ECDSA",
        /// Diffie-Hellman in a finite field without authentication.
        DhAnon = "DH_ANON",
        /// Diffie-Hellman on a curve without authentication.
        EcdhAnon = "ECDH_ANON",
        /// Kerberos.
        Krb5 = "KRB5",
        /// Secure remote password.
        Srp = "SRP",
    }
}

crate::choices! {
    /// Signatures on certificates by their parts.
    pub enum Signature: SIGNATURE {
        /// Any with MD2.
        Md2 = "MD2",
        /// Any with MD5.
        Md5 = "MD5",
        /// Any with SHA-1.
        Sha1 = "SHA1",
        /// Any with SHA-224.
        Sha224 = "SHA224",
        /// Any with SHA-256.
        Sha256 = "SHA256",
        /// Any with SHA-384.
        Sha384 = "SHA384",
        /// Any with SHA-512.
        Sha512 = "SHA512",
        /// RSA with any hash.
        Rsa = "RSA",
        /// RSA PSS.
        RsaPss = "RSA-PSS",
        /// DSA with any hash.
        Dsa = "DSA",
        /// ECDSA with any hash.
        Ecdsa = "ECDSA",
        /// Ed25519.
        Ed25519 = "ED25519",
        /// Ed448.
        Ed448 = "ED448",
        /// ML-DSA of any size.
        MlDsa = "ML-DSA",
    }
}

crate::choices! {
    /// Types of public keys.
    pub enum KeyType: KEY_TYPE {
        /// RSA.
        Rsa = "RSA",
        /// DSA.
        Dsa = "DSA",
        /// Diffie-Hellman.
        Dh = "DH",
        /// Keys on curves.
        Ecdsa = "ECDSA",
        /// Ed25519.
        Ed25519 = "ED25519",
        /// Ed448.
        Ed448 = "ED448",
        /// ML-DSA.
        MlDsa = "ML-DSA",
    }
}

crate::choices! {
    /// What a key exchange is worth against a quantum computer.
    pub enum PostQuantum: POST_QUANTUM {
        /// Classical: a quantum computer opens it.
        No = "No" | "Classical",
        /// Classical and post-quantum combined.
        Hybrid = "Hybrid",
        /// Post-quantum alone.
        Pure = "Pure",
    }
}

crate::choices! {
    /// How IPsec encloses packets.
    pub enum Mode: MODE {
        /// A packet in a packet.
        Tunnel = "Tunnel",
        /// Only the payload.
        Transport = "Transport",
    }
}

crate::choices! {
    /// The protocol of IPsec.
    pub enum Header: HEADER {
        /// Encapsulating security payload.
        Esp(50) = "ESP",
        /// Authentication header.
        Ah(51) = "AH",
    }
}

static END: Value = Value::OneOf(&[
    ALL,
    Value::Prefix(Family::Unmapped),
    Value::Addresses(Family::Unmapped),
    Value::Address(Family::Unmapped),
]);
static PORTS: Value = Value::Range {
    min: 0,
    max: 65_535,
    unit: "port",
};
static OWNER: Value = Value::Word("a name, or the beginning of names with a `*` at the end");
static PRIORITY: Value = Value::Number {
    min: 1,
    max: 2_000_000_000,
    unit: "",
};
static VERSION: Value = Value::Word("a version such as TLSv1.2, or a range such as SSLv2-TLSv1.1");
static CIPHERS: Value = Value::List(&CIPHER);
static MACS: Value = Value::List(&MAC);
static KEY_EXCHANGES: Value = Value::List(&KEY_EXCHANGE);
static SIGNATURES: Value = Value::List(&SIGNATURE);
static KEY_TYPES: Value = Value::List(&KEY_TYPE);
static POST_QUANTUMS: Value = Value::List(&POST_QUANTUM);
static BITS: Value = Value::Range {
    min: 1,
    max: 65_535,
    unit: "number of bits",
};
static GROUPS: Value = Value::List(&Value::Word("the registered name of a TLS group"));
static SSH_NAMES: Value = Value::List(&Value::Word(
    "the name of an SSH algorithm, with one `*` for anything",
));
static ONE_OR_TWO: Value = Value::Number {
    min: 1,
    max: 2,
    unit: "",
};
static GROUP_NUMBERS: Value = Value::List(&Value::Number {
    min: 1,
    max: 65_535,
    unit: "",
});

crate::statements! {
    /// `ZERTRule`.
    zert_rule: ZERT_RULE = Statement::new("ZERTRule", "Which connections, how protected, and what is done.")
        .effective().unconfirmed().since("2.5")
        .text("Rules are tried in the order of their priority, the highest first, and then of their names. The first that \
               matches decides; a connection that none matches is permitted. What is not known matches nothing.") {
        LOCAL = Parameter::new(
            &[
                Keyword::line("LocalAddr", &END),
                Keyword::reference("LocalAddrRef", &IP_ADDR),
                Keyword::reference("LocalAddrSetRef", &IP_ADDR_SET),
                Keyword::reference("LocalAddrGroupRef", &IP_ADDR_GROUP),
            ],
            "Local addresses.",
        ).default("All").unconfirmed(),
        REMOTE = Parameter::new(
            &[
                Keyword::line("RemoteAddr", &END),
                Keyword::reference("RemoteAddrRef", &IP_ADDR),
                Keyword::reference("RemoteAddrSetRef", &IP_ADDR_SET),
                Keyword::reference("RemoteAddrGroupRef", &IP_ADDR_GROUP),
            ],
            "Remote addresses.",
        ).default("All").unconfirmed(),
        LOCAL_PORTS = Parameter::new(&[Keyword::line("LocalPortRange", &PORTS)], "Local ports.")
            .list().absent("all").unconfirmed(),
        REMOTE_PORTS = Parameter::new(&[Keyword::line("RemotePortRange", &PORTS)], "Remote ports.")
            .list().absent("all").unconfirmed(),
        JOBS = Parameter::new(&[Keyword::line("Jobname", &OWNER)], "Jobs of the local socket; letters match in either case.")
            .list().absent("all, unknown ones too").unconfirmed(),
        USERS = Parameter::new(&[Keyword::line("Userid", &OWNER)], "Users of the local socket; letters match in either case.")
            .list().absent("all, unknown ones too").unconfirmed(),
        DIRECTION = Parameter::new(&[Keyword::line("Direction", &DIRECTION)], "Who opened the TCP connection.")
            .default("Both").unconfirmed(),
        PRIORITY = Parameter::new(&[Keyword::line("Priority", &PRIORITY)], "Higher ones are tried first.")
            .default("1").unconfirmed(),
        PROTECTION = Parameter::new(
            &[
                Keyword::reference("ProtectionRef", &ZERT_PROTECTION),
                Keyword::reference("ZERTProtectionRef", &ZERT_PROTECTION),
                Keyword::block("ZERTProtection", &ZERT_PROTECTION),
            ],
            "How the connection is protected.",
        ).required().unconfirmed(),
        ACTION = Parameter::new(
            &[
                Keyword::reference("ZERTActionRef", &ZERT_ACTION),
                Keyword::block("ZERTAction", &ZERT_ACTION),
            ],
            "What is done.",
        ).required().unconfirmed(),
    }

    /// `ZERTProtection`.
    zert_protection: ZERT_PROTECTION = Statement::new("ZERTProtection", "A way in which connections are protected.")
        .unconfirmed().since("2.5")
        .text("Of several values of one parameter any that holds suffices. For TLS and SSH only what was observed on the \
               connection counts.") {
        PROTOCOL = Parameter::new(&[Keyword::line("Protocol", &PROTOCOL)], "What protects the connection.")
            .required().unconfirmed(),
        MATCH = Parameter::new(&[Keyword::line("Match", &MATCH)], "How the other parameters go together.")
            .default("All").unconfirmed(),
        TLS_VERSION = Parameter::new(&[Keyword::line("TlsVersion", &VERSION)],
            "Version of TLS: SSLv2, SSLv3, TLSv1.0, TLSv1.1, TLSv1.2, TLSv1.3, or a range of them.").unconfirmed(),
        CIPHERS = Parameter::new(&[Keyword::line("SymmetricCipher", &CIPHERS)], "Ciphers of TLS or IPsec.").unconfirmed(),
        MACS = Parameter::new(&[Keyword::line("MessageAuth", &MACS)], "Message authentication of TLS or IPsec.").unconfirmed(),
        KEY_EXCHANGES = Parameter::new(&[Keyword::line("KeyExchange", &KEY_EXCHANGES)], "Key exchange of TLS.").unconfirmed(),
        SIGNATURES = Parameter::new(&[Keyword::line("SignatureMethod", &SIGNATURES)],
            "Signature on the TLS server's certificate, where it is visible.").unconfirmed(),
        KEY_TYPES = Parameter::new(&[Keyword::line("KeyType", &KEY_TYPES)],
            "Type of the TLS server's key, where it is visible.").unconfirmed(),
        KEY_LENGTH = Parameter::new(&[Keyword::line("KeyLength", &BITS)],
            "Bits of the TLS server's key or the SSH host key, where they are visible.").unconfirmed(),
        GROUPS = Parameter::new(&[Keyword::line("KeyShareGroup", &GROUPS)], "Group of the TLS key exchange.").unconfirmed(),
        POST_QUANTUM = Parameter::new(&[Keyword::line("PostQuantum", &POST_QUANTUMS)],
            "What the key exchange of TLS, SSH or IKE is worth against a quantum computer.").unconfirmed(),
        SSH_VERSION = Parameter::new(&[Keyword::line("SshVersion", &ONE_OR_TWO)], "Version of SSH.").unconfirmed(),
        SSH_CIPHER = Parameter::new(&[Keyword::line("SshCipher", &SSH_NAMES)], "SSH ciphers, either way.").unconfirmed(),
        SSH_CIPHER_IN = Parameter::new(&[Keyword::line("SshCipherIn", &SSH_NAMES)],
            "SSH ciphers for what is received.").unconfirmed(),
        SSH_CIPHER_OUT = Parameter::new(&[Keyword::line("SshCipherOut", &SSH_NAMES)],
            "SSH ciphers for what is sent.").unconfirmed(),
        SSH_MAC = Parameter::new(&[Keyword::line("SshMessageAuth", &SSH_NAMES)],
            "SSH MACs, either way; `AEAD` for ciphers that need none.").unconfirmed(),
        SSH_MAC_IN = Parameter::new(&[Keyword::line("SshMessageAuthIn", &SSH_NAMES)],
            "SSH MACs for what is received.").unconfirmed(),
        SSH_MAC_OUT = Parameter::new(&[Keyword::line("SshMessageAuthOut", &SSH_NAMES)],
            "SSH MACs for what is sent.").unconfirmed(),
        SSH_KEY_EXCHANGE = Parameter::new(&[Keyword::line("SshKeyExchange", &SSH_NAMES)], "SSH key exchange.").unconfirmed(),
        SSH_HOST_KEY = Parameter::new(&[Keyword::line("SshHostKeyType", &SSH_NAMES)], "Type of the SSH host key.").unconfirmed(),
        MODE = Parameter::new(&[Keyword::line("EncapsulationMode", &MODE)], "How IPsec encloses packets.").unconfirmed(),
        HEADER = Parameter::new(&[Keyword::line("IpSecProtocol", &HEADER)], "The protocol of IPsec.").unconfirmed(),
        DH_GROUPS = Parameter::new(&[Keyword::line("DHGroup", &GROUP_NUMBERS)],
            "Diffie-Hellman group of IKE, by number.").unconfirmed(),
        PFS_GROUPS = Parameter::new(&[Keyword::line("PfsGroup", &GROUP_NUMBERS)],
            "Group of the IPsec associations' own key exchange, by number.").unconfirmed(),
        IKE_VERSION = Parameter::new(&[Keyword::line("IkeVersion", &ONE_OR_TWO)], "Version of IKE.").unconfirmed(),
    }

    /// `ZERTAction`.
    zert_action: ZERT_ACTION = Statement::new("ZERTAction", "What is done. With nothing of it the connection is permitted.")
        .unconfirmed().since("2.5") {
        SYSLOG = Parameter::new(&[Keyword::line("LogSyslogd", &YES_NO)], "A message to the system log.").default("No").unconfirmed(),
        CONSOLE = Parameter::new(&[Keyword::line("LogConsole", &YES_NO)], "A message to the console.").default("No").unconfirmed(),
        AUDIT = Parameter::new(&[Keyword::line("Audit", &YES_NO)],
            "An audit record (SMF type 119 subtype 11, event 7).").default("No").unconfirmed(),
        RESET = Parameter::new(&[Keyword::line("ResetConnection", &YES_NO)], "The connection is reset.").default("No").unconfirmed(),
    }
}

/// The discipline of zERT enforcement.
pub static DISCIPLINE: Discipline = Discipline {
    name: "zert",
    title: "zERT enforcement policy",
    file: "a zERT policy file",
    text: "The statements of the files that `CommonZERTConfig` and `ZERTConfig` name: rules about how connections \
           are protected. The names of the statements inside of these files are not confirmed; they follow those of \
           AT-TLS policies.",
    statements: &[
        &ZERT_RULE,
        &ZERT_PROTECTION,
        &ZERT_ACTION,
        &IP_ADDR,
        &IP_ADDR_SET,
        &IP_ADDR_GROUP,
    ],
    codes: &[],
};
