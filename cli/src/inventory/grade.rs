//! What a connection's protection is worth.

use hostward::zert::record::{Group, PqClass, Protocol, SshDirection, SshFacts, TlsFacts};
use hostward::zert::{Record, Suite};
use serde::Serialize;

/// What protection is worth, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Grade {
    /// There is none that is recognised.
    None,
    /// It can be broken today, or protects nothing.
    Broken,
    /// It is forbidden or discouraged today.
    Weak,
    /// Nothing is wrong with it today; what a quantum computer makes of it is not known.
    Unknown,
    /// Nothing is wrong with it today; a quantum computer would open what was recorded.
    Classical,
    /// Classical and post-quantum key exchange combined.
    Hybrid,
    /// Post-quantum key exchange.
    Pq,
}

impl Grade {
    /// All grades, worst first.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Broken,
        Self::Weak,
        Self::Unknown,
        Self::Classical,
        Self::Hybrid,
        Self::Pq,
    ];

    /// The name in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Broken => "broken",
            Self::Weak => "weak",
            Self::Unknown => "unknown",
            Self::Classical => "classical",
            Self::Hybrid => "hybrid",
            Self::Pq => "pq",
        }
    }

    /// The answer to "will a quantum computer open it": `None` if that is not known.
    #[must_use]
    pub const fn is_quantum_safe(pq: PqClass) -> Option<bool> {
        match pq {
            PqClass::Hybrid | PqClass::Pq => Some(true),
            PqClass::Classical => Some(false),
            PqClass::None | _ => None,
        }
    }
}

/// Collects reasons; the worst grade counts.
struct Judge {
    grade: Grade,
    reasons: Vec<&'static str>,
}

impl Judge {
    fn says(&mut self, grade: Grade, reason: &'static str) {
        self.grade = self.grade.min(grade);
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    fn when(&mut self, is: bool, grade: Grade, reason: &'static str) {
        if is {
            self.says(grade, reason);
        }
    }
}

/// Grades the protection of a connection that is established, and says why it is no better.
#[must_use]
pub fn grade(record: &Record) -> (Grade, Vec<&'static str>) {
    let mut judge = Judge {
        grade: match record.pq {
            PqClass::Classical => Grade::Classical,
            PqClass::Hybrid => Grade::Hybrid,
            PqClass::Pq => Grade::Pq,
            PqClass::None | _ => Grade::Unknown,
        },
        reasons: Vec::new(),
    };
    match record.protocol {
        Protocol::Tls | Protocol::Dtls | Protocol::Quic => tls(&record.tls, &mut judge),
        Protocol::Ssh => ssh(&record.ssh, &mut judge),
        // Curve25519, whatever is configured beside it.
        Protocol::Wireguard => judge.grade = Grade::Classical,
        Protocol::None => judge.says(Grade::None, "no protection"),
        Protocol::Ike => ike(record, &mut judge),
        Protocol::Esp | Protocol::Ah | Protocol::Ipsec => tunnel(record, &mut judge),
        _ => {}
    }
    if judge.grade == Grade::Classical {
        judge.reasons.push("classical key exchange");
    } else if judge.grade == Grade::Unknown {
        judge.reasons.push("key exchange not known");
    }
    (judge.grade, judge.reasons)
}

fn tls(t: &TlsFacts, judge: &mut Judge) {
    if let Some(version) = t.version {
        judge.when(version.0 <= 0x0300, Grade::Broken, "SSL");
        let old = matches!(version.0, 0x0301 | 0x0302 | 0xFEFF);
        judge.when(old, Grade::Weak, "TLS below 1.2");
    }
    if let Some(suite) = t.cipher.and_then(|c| c.suite()) {
        parts(suite, judge);
    }
    // RFC 9325 §4.2.1: at least 2048 bits.
    let short = matches!(t.group, Some(Group::Dh(bits)) if bits < 2_048);
    judge.when(short, Grade::Weak, "Diffie-Hellman below 2048 bits");
    // RFC 9325 §4.2.1: curves of less than 224 bits: sect163k1 to sect193r2, secp160k1 to secp192r1.
    let small = matches!(t.group, Some(Group::Named(1..=5 | 0x0F..=0x13)));
    judge.when(small, Grade::Weak, "elliptic curve below 224 bits");
    let cert = &t.server_cert;
    // 1.2.840.113549.1.1: a key of a certificate whose algorithm is not known is taken for RSA if
    // no elliptic curve has its length.
    let is_rsa = cert.key.as_ref().map_or(cert.key_bits >= 1_024, |oid| {
        oid.content()
            .starts_with(&[42, 134, 72, 134, 247, 13, 1, 1])
    });
    let small = is_rsa && (1..2_048).contains(&cert.key_bits);
    judge.when(small, Grade::Weak, "RSA key below 2048 bits");
}

/// What must not be used any more (RFC 8247), and IKE version 1 itself (RFC 9395).
fn ike(record: &Record, judge: &mut Judge) {
    let Some(seen) = record.ike.as_deref() else {
        return;
    };
    judge.when(seen.major == 1, Grade::Weak, "IKE 1");
    let Some(chosen) = &seen.chosen else { return };
    // The numbers of version 1 are its own.
    let (des, triple) = if seen.major == 1 { (1, 5) } else { (2, 3) };
    judge.when(chosen.encr == des, Grade::Broken, "DES");
    judge.when(chosen.encr == triple, Grade::Weak, "3DES");
    let md5 = chosen.integ == Some(1) || chosen.hash == Some(1);
    judge.when(md5, Grade::Weak, "MD5");
    judge.when(
        seen.major != 1 && chosen.encr == 11,
        Grade::Broken,
        "no encryption",
    );
    short_group(chosen.ke, judge);
}

/// The same of tunnels whose transforms were told (RFC 8221).
fn tunnel(record: &Record, judge: &mut Judge) {
    let Some(facts) = record.ipsec.as_deref() else {
        return;
    };
    let t = &facts.transforms;
    let clear = facts.protocol == 51 || matches!(t.encryption, Some(11 | 21));
    judge.when(clear, Grade::Broken, "no encryption");
    judge.when(matches!(t.encryption, Some(1 | 2)), Grade::Broken, "DES");
    judge.when(t.encryption == Some(3), Grade::Weak, "3DES");
    judge.when(t.integrity == Some(1), Grade::Weak, "MD5");
    let behind = facts.ike.as_ref().and_then(|ike| ike.transforms.group);
    short_group(t.group.or(behind), judge);
}

/// Groups of 768, 1024 and 1536 bits, and one of 1024 with a small subgroup; curves of 155, 185 and
/// 192 bits.
fn short_group(group: Option<u16>, judge: &mut Judge) {
    judge.when(
        matches!(group, Some(1 | 2 | 5 | 22)),
        Grade::Weak,
        "Diffie-Hellman below 2048 bits",
    );
    judge.when(
        matches!(group, Some(3 | 4 | 25)),
        Grade::Weak,
        "elliptic curve below 224 bits",
    );
}

fn parts(suite: &Suite, judge: &mut Judge) {
    let (kex, cipher) = (suite.key_exchange, suite.cipher);
    judge.when(cipher == "NULL", Grade::Broken, "no encryption");
    judge.when(cipher.starts_with("RC4"), Grade::Broken, "RC4");
    judge.when(cipher.starts_with("RC2"), Grade::Broken, "RC2");
    judge.when(cipher.starts_with("DES-"), Grade::Broken, "DES");
    judge.when(kex.contains("EXPORT"), Grade::Broken, "export suite");
    judge.when(kex.contains("ANON"), Grade::Broken, "no authentication");
    judge.when(suite.mac == "HMAC-MD5", Grade::Broken, "MD5");
    judge.when(cipher.starts_with("3DES"), Grade::Weak, "3DES");
    let old = cipher.starts_with("IDEA") || cipher.starts_with("SEED");
    judge.when(old, Grade::Weak, "obsolete cipher");
    let cbc = cipher.ends_with("CBC") && suite.mac == "HMAC-SHA1";
    judge.when(cbc, Grade::Weak, "CBC with SHA-1");
    // RFC 9325 §4.1: forward secrecy.
    let ephemeral = matches!(kex, "GROUP" | "ECCPWD")
        || kex.starts_with("ECDHE_")
        || kex.starts_with("DHE_")
        || kex.starts_with("SRP");
    let anonymous = kex.contains("ANON");
    judge.when(!ephemeral && !anonymous, Grade::Weak, "no forward secrecy");
}

fn ssh(s: &SshFacts, judge: &mut Judge) {
    judge.when(s.protocol == Some(1), Grade::Broken, "SSH 1");
    for direction in [&s.c2s, &s.s2c] {
        ssh_direction(direction, judge);
    }
    let kex = s.kex.get().unwrap_or("");
    let sha1 = kex.ends_with("-sha1") || kex.contains("-sha1-");
    judge.when(sha1, Grade::Weak, "key exchange with SHA-1");
    let host = s.host_key_alg.get().unwrap_or("");
    judge.when(
        host == "ssh-rsa",
        Grade::Weak,
        "host key signature with SHA-1",
    );
    let key = s.host_key_type.get().unwrap_or(host);
    judge.when(key.starts_with("ssh-dss"), Grade::Weak, "DSA host key");
    let small = key.contains("rsa") && (1..2_048).contains(&s.host_key_bits);
    judge.when(small, Grade::Weak, "RSA key below 2048 bits");
    judge.when(s.is_prefix_exposed(), Grade::Weak, "no strict key exchange");
}

fn ssh_direction(d: &SshDirection, judge: &mut Judge) {
    let cipher = d.cipher.get().unwrap_or("");
    judge.when(cipher == "none", Grade::Broken, "no encryption");
    judge.when(cipher.starts_with("arcfour"), Grade::Broken, "RC4");
    judge.when(cipher == "des-cbc", Grade::Broken, "DES");
    judge.when(cipher.starts_with("3des"), Grade::Weak, "3DES");
    judge.when(cipher.ends_with("-cbc"), Grade::Weak, "CBC");
    if d.mac_implicit() == Some(false) {
        let mac = d.mac.get().unwrap_or("");
        judge.when(mac == "none", Grade::Broken, "no integrity");
        judge.when(mac.starts_with("hmac-md5"), Grade::Weak, "MD5");
        judge.when(
            mac.starts_with("hmac-sha1-96"),
            Grade::Weak,
            "truncated SHA-1",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostward::zert::record::{CipherSuite, TlsVersion};

    fn tls_of(version: u16, cipher: u32, pq: PqClass) -> (Grade, Vec<&'static str>) {
        let mut r = Record::default();
        r.protocol = Protocol::Tls;
        r.pq = pq;
        r.tls.version = Some(TlsVersion(version));
        r.tls.cipher = Some(CipherSuite(cipher));
        grade(&r)
    }

    #[test]
    // RFC 9325 §4.1: no forward secrecy is weak. RFC 9325 §4.2.1: so are short keys.
    fn tls_is_as_good_as_its_worst_part() {
        use PqClass::{Classical, Hybrid};
        let classical = "classical key exchange";
        assert_eq!(tls_of(0x0304, 0x1302, Hybrid), (Grade::Hybrid, vec![]));
        assert_eq!(
            tls_of(0x0303, 0xC02F, Classical),
            (Grade::Classical, vec![classical])
        );
        assert_eq!(
            tls_of(0x0301, 0xC013, Classical),
            (Grade::Weak, vec!["TLS below 1.2", "CBC with SHA-1"])
        );
        assert_eq!(
            tls_of(0x0303, 0x009C, Classical),
            (Grade::Weak, vec!["no forward secrecy"])
        );
        assert_eq!(tls_of(0x0300, 0x0004, Classical).0, Grade::Broken);
        let mut short = Record::default();
        short.protocol = Protocol::Tls;
        short.pq = Classical;
        short.tls.group = Some(Group::Dh(1_024));
        assert_eq!(
            grade(&short),
            (Grade::Weak, vec!["Diffie-Hellman below 2048 bits"])
        );
        for (group, grade_of) in [
            (0x0005, Grade::Weak),
            (0x0006, Grade::Classical),
            (0x000F, Grade::Weak),
            (0x0013, Grade::Weak),
            (0x0014, Grade::Classical),
            (0x0017, Grade::Classical),
        ] {
            short.tls.group = Some(Group::Named(group));
            assert_eq!(grade(&short).0, grade_of, "{group:#06x}");
        }
        assert_eq!(
            tls_of(0x0303, 0x0034, Classical),
            (Grade::Broken, vec!["no authentication", "CBC with SHA-1"])
        );
    }

    #[test]
    fn ssh_is_as_good_as_its_worst_part() {
        let mut r = Record::default();
        r.protocol = Protocol::Ssh;
        r.pq = PqClass::Hybrid;
        r.ssh.kex = "mlkem768x25519-sha256".into();
        r.ssh.c2s.cipher = "chacha20-poly1305@openssh.com".into();
        r.ssh.s2c = r.ssh.c2s.clone();
        assert_eq!(grade(&r), (Grade::Hybrid, vec![]));
        r.ssh.s2c.cipher = "3des-cbc".into();
        assert_eq!(grade(&r), (Grade::Weak, vec!["3DES", "CBC"]));
        r.ssh.c2s.cipher = "arcfour".into();
        assert_eq!(grade(&r).0, Grade::Broken);
    }

    #[test]
    fn ssh_host_keys() {
        let mut r = Record::default();
        r.protocol = Protocol::Ssh;
        r.pq = PqClass::Hybrid;
        r.ssh.host_key_alg = "rsa-sha2-512".into();
        for (kind, bits, reasons) in [
            ("ssh-rsa", 2_048, vec![]),
            ("ssh-rsa", 1_024, vec!["RSA key below 2048 bits"]),
            (
                "ssh-rsa-cert-v01@openssh.com",
                2_047,
                vec!["RSA key below 2048 bits"],
            ),
            // A length that was not seen is none that is too short.
            ("ssh-rsa", 0, vec![]),
            ("ssh-dss", 1_024, vec!["DSA host key"]),
            ("ssh-dss-cert-v01@openssh.com", 1_024, vec!["DSA host key"]),
            ("ssh-ed25519", 256, vec![]),
        ] {
            r.ssh.host_key_type = kind.into();
            r.ssh.host_key_bits = bits;
            let wanted = if reasons.is_empty() {
                Grade::Hybrid
            } else {
                Grade::Weak
            };
            assert_eq!(grade(&r), (wanted, reasons), "{kind} {bits}");
        }
    }

    #[test]
    // CVE-2023-48795: ChaCha20-Poly1305, or CBC with encrypt-then-MAC, in either direction, unless
    // the key exchange is strict.
    fn ssh_sessions_whose_beginning_can_be_cut() {
        let mut r = Record::default();
        r.protocol = Protocol::Ssh;
        r.pq = PqClass::Hybrid;
        let exposed = |cipher: &str, mac: &str, strict| {
            let mut r = r.clone();
            r.ssh.c2s.cipher = "aes256-gcm@openssh.com".into();
            r.ssh.s2c.cipher = cipher.into();
            r.ssh.s2c.mac = mac.into();
            r.ssh.strict_kex = strict;
            grade(&r).1.contains(&"no strict key exchange")
        };
        let (etm, plain) = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-256");
        assert!(exposed("chacha20-poly1305@openssh.com", plain, Some(false)));
        assert!(exposed("aes128-cbc", etm, Some(false)));
        assert!(!exposed("aes128-cbc", plain, Some(false)));
        assert!(!exposed("aes128-ctr", etm, Some(false)));
        for strict in [Some(true), None] {
            assert!(!exposed("chacha20-poly1305@openssh.com", plain, strict));
        }
    }

    #[test]
    fn what_ike_has_chosen() {
        use hostward::zert::record::{IkeChosen, IkeSeen};
        let of = |major, encr, hash, integ, ke| {
            let mut chosen = IkeChosen::default();
            (chosen.encr, chosen.hash, chosen.integ) = (encr, hash, integ);
            chosen.ke = Some(ke);
            let mut seen = IkeSeen::default();
            seen.major = major;
            seen.chosen = Some(chosen);
            let mut r = Record::default();
            r.protocol = Protocol::Ike;
            r.pq = PqClass::Classical;
            r.ike = Some(Box::new(seen));
            grade(&r)
        };
        let short = "Diffie-Hellman below 2048 bits";
        let classical = "classical key exchange";
        assert_eq!(
            of(2, 20, None, None, 31),
            (Grade::Classical, vec![classical])
        );
        // The same number is another cipher in version 1.
        assert_eq!(
            of(2, 3, None, Some(1), 5),
            (Grade::Weak, vec!["3DES", "MD5", short])
        );
        assert_eq!(
            of(1, 5, Some(1), None, 14),
            (Grade::Weak, vec!["IKE 1", "3DES", "MD5"])
        );
        assert_eq!(of(1, 3, Some(2), None, 14), (Grade::Weak, vec!["IKE 1"]));
        assert_eq!(of(1, 1, Some(2), None, 2).0, Grade::Broken);
        assert_eq!(of(2, 2, None, Some(2), 14).0, Grade::Broken);
        assert_eq!(
            of(2, 11, None, Some(12), 25),
            (
                Grade::Broken,
                vec!["no encryption", "elliptic curve below 224 bits"]
            )
        );
    }

    #[test]
    fn tunnels_whose_transforms_were_told() {
        use hostward::zert::record::IpsecFacts;
        use hostward_hook::ident::TunnelId;
        use hostward_hook::protection::IpsecTunnel;
        let of = |protocol, encryption, group| {
            let mut told = IpsecTunnel::default();
            told.tunnel = TunnelId(1);
            told.protocol = protocol;
            told.transforms.encryption = encryption;
            told.transforms.group = group;
            let mut r = Record::default();
            r.protocol = Protocol::Ipsec;
            r.ipsec = Some(Box::new(IpsecFacts::of(&told)));
            grade(&r)
        };
        let unknown = "key exchange not known";
        assert_eq!(of(50, Some(20), None), (Grade::Unknown, vec![unknown]));
        assert_eq!(
            of(50, Some(11), None),
            (Grade::Broken, vec!["no encryption"])
        );
        assert_eq!(of(51, None, None), (Grade::Broken, vec!["no encryption"]));
        assert_eq!(
            of(50, Some(3), Some(2)),
            (Grade::Weak, vec!["3DES", "Diffie-Hellman below 2048 bits"])
        );
    }

    #[test]
    fn nothing_is_the_worst() {
        assert_eq!(
            grade(&Record::default()),
            (Grade::None, vec!["no protection"])
        );
        assert!(Grade::ALL.is_sorted());
    }
}
