//! zERT rules: from text to rules, what is told about policies that mean nothing, and the mistakes made most often.
//! `UPDATE_SNAPSHOTS=1` writes `snapshots/zert/`.
#![cfg(feature = "zert")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use std::path::Path;
use std::sync::Arc;

use hostward_policy::load::{FileError, Files, Options, load};
use hostward_policy::zert::{ZertPolicy, compile, words};
use hostward_policy::{Diagnostics, FileKind, Language, Policy, Sources, Style, render_all};
use hostward_zert::enforce::{Action, Addresses, Condition, Kind, Match, Opened, weak};
use hostward_zert::record::{PqClass, TlsVersion};

const GOOD: &str = "\
ZERTRule WeakTlsInbound
{
  LocalAddr All
  LocalPortRange 1024-65535
  RemoteAddr 192.0.2.0/24
  Jobname HTTPD*
  Userid WEB*
  Direction Inbound
  Priority 500
  ProtectionRef WeakTls
  ZERTActionRef LogAndReset
}
ZERTRule Partners
{
  RemoteAddrGroupRef PartnerNets
  ZERTProtection
  {
    Protocol SSH
    SshCipher *-cbc,arcfour*
  }
  ZERTAction
  {
    Audit Yes
  }
}
ZERTProtection WeakTls
{
  Protocol TLS
  TlsVersion SSLv2-TLSv1.1
  SymmetricCipher RC4,3DES,DES
  MessageAuth HMAC-MD5
  KeyExchange RSA,DH_ANON
  Match Any
}
ZERTAction LogAndReset
{
  LogSyslogd Yes
  LogConsole No
  Audit Yes
  ResetConnection Yes
}
IpAddrGroup PartnerNets
{
  IpAddrSetRef Branch
  IpAddr
  {
    Addr 2001:db8::1
  }
}
IpAddrSet Branch
{
  Range 10.1.0.1-10.1.0.99
}
";

fn read(text: &str) -> (Option<ZertPolicy>, usize, String) {
    let language = Language::full().unwrap();
    let mut sources = Sources::new();
    sources.add("zert.conf", text.as_bytes()).unwrap();
    let mut out = Diagnostics::default();
    let policy = Policy::read(&language, &sources, &mut out);
    let made = compile(&policy, 3, &mut out);
    out.sort();
    (
        made,
        out.iter().count(),
        render_all(&out, &sources, Style::Plain),
    )
}

fn good(text: &str) -> ZertPolicy {
    let (made, count, told) = read(text);
    assert_eq!(count, 0, "{told}");
    made.unwrap()
}

fn codes(text: &str) -> Vec<String> {
    let told = read(text).2;
    let code = |l: &str| Some(l.split_once("[")?.1.split_once("]")?.0.to_owned());
    let heads = told.lines().filter(|l| {
        ["error[", "warning[", "note["]
            .iter()
            .any(|k| l.starts_with(k))
    });
    heads.filter_map(code).collect()
}

#[test]
fn rules_become_the_model() {
    let made = good(GOOD);
    let [weak, partners] = made.rule_set.rules() else {
        panic!("two rules");
    };
    assert_eq!((&*weak.name, weak.priority), ("WeakTlsInbound", 500));
    assert_eq!((&*partners.name, partners.priority), ("Partners", 1));
    assert!(weak.local.is_empty(), "all addresses");
    assert_eq!(
        weak.remote,
        [Addresses::prefix("192.0.2.0".parse().unwrap(), 24)]
    );
    assert_eq!(weak.local_ports, [1024..=65535]);
    assert_eq!(weak.opened, Opened::Inbound);
    assert!(weak.jobs[0].matches("httpd9") && weak.users[0].matches("WEBSRV"));
    let p = &weak.protection;
    assert_eq!(
        (p.kind, p.together, p.conditions.len()),
        (Kind::Tls, Match::Any, 4)
    );
    assert_eq!(
        p.conditions[0],
        Condition::TlsVersion(TlsVersion(2)..=TlsVersion(0x302))
    );
    assert_eq!(
        words(p),
        "TLS with TlsVersion SSLv2-TLSv1.1 or SymmetricCipher RC4,3DES,DES or MessageAuth HMAC-MD5 or \
         KeyExchange RSA,DH_ANON"
    );
    let expected = Action {
        name: "LogAndReset".into(),
        syslog: true,
        console: false,
        audit: true,
        reset: true,
    };
    assert_eq!(*weak.action, expected);
    assert_eq!(partners.remote.len(), 2);
    assert!(partners.remote[0].contain("10.1.0.50".parse().unwrap()));
    assert!(partners.remote[1].contain("2001:db8::1".parse().unwrap()));
    assert!(partners.action.audit && !partners.action.reset);
    assert_eq!(made.rule_set.generation(), 3);
    assert_eq!(made.places.len(), 2);
}

#[test]
fn every_condition_can_be_written() {
    let protection = |kind: &str, lines: &str| {
        let text = format!(
            "ZERTRule r\n{{\n ZERTProtection\n {{\n  Protocol {kind}\n{lines} }}\n ZERTAction\n {{\n }}\n}}\n"
        );
        let made = good(&text);
        words(&made.rule_set.rules()[0].protection)
    };
    let tls = "  SignatureMethod SHA1 MD5\n  KeyType RSA\n  KeyLength 1 2047\n  KeyShareGroup x25519\n  \
               PostQuantum No Hybrid Pure\n  TlsVersion tlsv1.2\n";
    assert_eq!(
        protection("tls", tls),
        "TLS with TlsVersion TLSv1.2 and SignatureMethod SHA1,MD5 and KeyType RSA and KeyLength 1-2047 and \
         KeyShareGroup x25519 and PostQuantum No,Hybrid,Pure"
    );
    let ssh = "  SshVersion 1\n  SshCipherIn a\n  SshCipherOut b\n  SshMessageAuth c\n  SshMessageAuthIn d\n  \
               SshMessageAuthOut e\n  SshKeyExchange f\n  SshHostKeyType ssh-rsa\n  KeyLength 1024\n";
    assert_eq!(
        protection("SSH", ssh),
        "SSH with KeyLength 1024 and SshVersion 1 and SshCipherIn a and SshCipherOut b and SshMessageAuth c and \
         SshMessageAuthIn d and SshMessageAuthOut e and SshKeyExchange f and SshHostKeyType ssh-rsa"
    );
    let ipsec = "  EncapsulationMode Tunnel\n  IpSecProtocol AH\n  DHGroup 1,2,5\n  PfsGroup 14\n  IkeVersion 1\n  \
                 SymmetricCipher AES-CBC\n  MessageAuth HMAC-SHA1\n";
    assert_eq!(
        protection("IPSec", ipsec),
        "IPSec with SymmetricCipher AES-CBC and MessageAuth HMAC-SHA1 and EncapsulationMode Tunnel and \
         IpSecProtocol AH and DHGroup 1,2,5 and PfsGroup 14 and IkeVersion 1"
    );
    assert_eq!(protection("None", ""), "no protection");
}

#[test]
fn the_example_is_the_ready_rule_set() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/zert-weak.conf");
    let text = std::fs::read_to_string(file).unwrap();
    let action = Arc::new(Action {
        name: "Tell".into(),
        syslog: true,
        audit: true,
        ..Action::default()
    });
    assert_eq!(good(&text).rule_set, weak::all(&action, 3));
    let language = Language::full().unwrap();
    let mut sources = Sources::new();
    let id = sources.add("x", text.as_bytes()).unwrap();
    let laid_out = hostward_policy::format(&language, &sources, id).unwrap();
    assert_eq!(laid_out, text, "it is laid out in the canonical way");
    let classes = [PqClass::Classical];
    let last = &weak::all(&action, 3).rules()[6].protection.conditions[0].clone();
    assert_eq!(*last, Condition::PostQuantum(classes.to_vec()));
}

#[test]
fn what_means_nothing_is_told() {
    let with = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        codes(&GOOD.replace(from, to))
    };
    assert_eq!(
        with("SshCipher *-cbc,arcfour*", "SymmetricCipher CBC"),
        ["P0401"]
    );
    assert_eq!(with("Jobname HTTPD*", "Jobname *HTTPD"), ["P0403"]);
    assert_eq!(with("TLSv1.1", "TLSv1.4"), ["P0402"]);
    assert_eq!(with("SSLv2-TLSv1.1", "TLSv1.1-SSLv2"), ["P0402"]);
    assert_eq!(with("192.0.2.0/24", "192.0.2.1/24"), ["P0323"]);
    let members = "  IpAddrSetRef Branch\n  IpAddr\n  {\n    Addr 2001:db8::1\n  }\n";
    assert!(with(members, "").iter().any(|c| c == "P0206"));
    // A rule behind one that matches all of its connections.
    let behind = GOOD.replace("  Priority 500\n", "");
    let first =
        "ZERTRule A\n{\n  Priority 9\n  ProtectionRef WeakTls\n  ZERTActionRef LogAndReset\n}\n";
    assert_eq!(codes(&(behind + first)), ["P0421"]);
    // Two rules about the same at different places are fine.
    let other = first.replace("Priority 9", "Priority 1");
    good(&(GOOD.to_owned() + &other));
}

#[test]
fn a_policy_with_an_error_gives_no_rules() {
    for broken in [
        GOOD.replace("ProtectionRef WeakTls", "ProtectionRef Weak"),
        GOOD.replace("Protocol TLS", "Protocol None"),
        GOOD.replace("RC4,3DES", "RC4,4DES"),
    ] {
        let (made, count, _) = read(&broken);
        assert!(made.is_none() && count > 0);
    }
    assert!(good("").rule_set.rules().is_empty());
}

#[test]
fn hostile_groups_stay_small() {
    let mut text = String::from("IpAddrGroup Big\n{\n");
    for i in 0..2_000 {
        text += &format!(
            "  IpAddr\n  {{\n    Addr 10.0.{}.{}\n  }}\n",
            i / 250,
            i % 250
        );
    }
    text += "}\nZERTProtection P\n{\n  Protocol TLS\n}\nZERTAction A\n{\n}\n";
    for i in 0..700 {
        text += &format!(
            "ZERTRule r{i}\n{{\n  LocalAddrGroupRef Big\n  ProtectionRef P\n  ZERTActionRef A\n}}\n"
        );
    }
    assert_eq!(codes(&text), ["P0405"]);
}

struct Memory(Vec<(&'static str, &'static str)>);

impl Files for Memory {
    fn read(&mut self, name: &str) -> Result<Vec<u8>, FileError> {
        let found = self.0.iter().find(|(n, _)| *n == name);
        found
            .map(|(_, t)| t.as_bytes().to_vec())
            .ok_or(FileError::DataSet)
    }
}

#[test]
fn main_and_image_files_lead_to_it() {
    let mut files = Memory(vec![
        ("/main", "CommonZERTConfig /common\nTcpImage TCPIP /image\n"),
        ("/image", "ZERTConfig /own\n"),
        ("/common", GOOD),
        ("/own", "ZERTAction LogAndReset\n{\n  Audit Yes\n}\n"),
    ]);
    let language = Language::full().unwrap();
    let mut out = Diagnostics::default();
    let loaded = load(
        &language,
        &mut files,
        &["/main"],
        &Options::default(),
        &mut out,
    )
    .unwrap();
    let policy = Policy::read(&language, &loaded.sources, &mut out);
    let made = compile(&policy, 1, &mut out).unwrap();
    assert_eq!(loaded.policy_files, 2);
    let kinds: Vec<FileKind> = loaded
        .sources
        .iter()
        .map(|(id, _)| policy.kind(id))
        .collect();
    assert_eq!(kinds[2..], [FileKind::Policy("zert"); 2]);
    // The stack's own action takes the place of the common one.
    assert!(!made.rule_set.rules()[0].action.reset);
}

#[test]
fn statements_of_both_kinds_belong_into_two_files() {
    let text = GOOD.to_owned() + "IpFilterPolicy\n{\n}\n";
    assert!(codes(&text).contains(&"P0211".to_owned()));
}

/// One piece of the good policy, and what stands in its place.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("misspelt-rule", "ZERTRule Partners", "ZERTRules Partners"),
    ("misspelt-parameter", "ResetConnection", "ResetConection"),
    ("misspelt-cipher", "RC4,3DES,DES", "RC4,3DSE,DES"),
    ("unknown-cipher-alone", "RC4,3DES,DES", "weak"),
    ("yes-misspelt", "ResetConnection Yes", "ResetConnection On"),
    (
        "unknown-protection",
        "ProtectionRef WeakTls",
        "ProtectionRef WeakTLS",
    ),
    ("missing-protection", "  ProtectionRef WeakTls\n", ""),
    ("missing-action", "  ZERTActionRef LogAndReset\n", ""),
    ("missing-protocol", "    Protocol SSH\n", ""),
    (
        "parameter-of-another-protocol",
        "    SshCipher *-cbc,arcfour*\n",
        "    TlsVersion TLSv1.0\n",
    ),
    (
        "condition-without-protection",
        "Protocol SSH",
        "Protocol None",
    ),
    ("unknown-version", "SSLv2-TLSv1.1", "SSLv2-TLSv2"),
    ("star-in-the-middle", "HTTPD*", "HTTP*D"),
    ("priority-out-of-range", "Priority 500", "Priority 0"),
    (
        "two-addresses",
        "RemoteAddr 192.0.2.0/24\n",
        "RemoteAddr 192.0.2.0/24\n  RemoteAddrSetRef Branch\n",
    ),
    (
        "empty-list",
        "SymmetricCipher RC4,3DES,DES",
        "SymmetricCipher",
    ),
    (
        "only-commas",
        "SymmetricCipher RC4,3DES,DES",
        "SymmetricCipher ,",
    ),
    (
        "filter-statement",
        "ZERTAction LogAndReset\n{",
        "IpGenericFilterAction p\n{\n  IpFilterAction Permit\n}\nZERTAction LogAndReset\n{",
    ),
];

#[test]
fn each_mistake_gives_one_message_that_says_what_to_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/zert");
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|v| v == "1");
    let mut wrong = String::new();
    for (name, piece, instead) in MISTAKES {
        assert_eq!(
            GOOD.matches(piece).count(),
            1,
            "{name}: {piece:?} stands once"
        );
        let (_, count, text) = read(&GOOD.replace(piece, instead));
        if count != 1 {
            wrong.push_str(&format!("--- {name}: {count} messages\n{text}\n"));
        }
        let file = folder.join(name).with_extension("txt");
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &text).unwrap();
        } else if std::fs::read_to_string(&file).unwrap_or_default() != text {
            wrong.push_str(&format!(
                "--- {name} is not as in snapshots/zert/{name}.txt\n{text}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
