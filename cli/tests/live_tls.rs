//! OpenSSL's and curl's traffic with each version, cipher suite and group that this host's OpenSSL has:
//! records agree with what the programs say of themselves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::std_instead_of_core,
    reason = "a failing test may panic"
)]
#![cfg(unix)]

mod common;
mod live;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use live::{Guarded, Relay, compare, has, output_of, say};
use serde_json::{Value, json};

/// OpenSSL without the system's restrictions.
fn openssl(args: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.args(args).env("OPENSSL_CONF", "/dev/null");
    command
}

/// Keys and certificates in a folder of their own.
struct Keys(tempfile::TempDir);

impl Keys {
    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// A self-signed certificate.
    fn certificate(&self, name: &str, key: &[&str]) {
        let (key_file, cert_file) = (self.path(&format!("{name}.key")), self.path(name));
        output_of(openssl(&["genpkey"]).args(key).args(["-out", &key_file]));
        let subject = format!("/O=Live/CN={name}.example");
        let made = output_of(&mut openssl(&[
            "req",
            "-x509",
            "-new",
            "-key",
            &key_file,
            "-out",
            &cert_file,
            "-days",
            "3650",
            "-subj",
            &subject,
            "-config",
            "/dev/null",
            "-sha256",
        ]));
        assert!(Path::new(&cert_file).exists(), "{made}");
    }

    fn new() -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        keys.certificate(
            "rsa",
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        );
        keys.certificate(
            "ec",
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        );
        keys.certificate(
            "client",
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
        );
        let parameters = keys.path("dsa.parameters");
        output_of(&mut openssl(&[
            "genpkey",
            "-genparam",
            "-algorithm",
            "DSA",
            "-pkeyopt",
            "dsa_paramgen_bits:1024",
            "-pkeyopt",
            "dsa_paramgen_q_bits:160",
            "-out",
            &parameters,
        ]));
        keys.certificate("dsa", &["-paramfile", &parameters]);
        keys
    }

    /// A server with these certificates, the first two of which are offered, and more options.
    fn server(&self, certificates: &[&str], options: &[&str]) -> (Guarded, u16) {
        let mut command = openssl(&["s_server", "-accept", "127.0.0.1:0", "-rev"]);
        for (name, [cert, key]) in certificates
            .iter()
            .zip([["-cert", "-key"], ["-dcert", "-dkey"]])
        {
            command.args([
                cert,
                &self.path(name),
                key,
                &self.path(&format!("{name}.key")),
            ]);
        }
        let mut server = command
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(server.stdout.take().unwrap());
        let server = Guarded(server);
        let port = loop {
            let mut line = String::new();
            assert!(
                out.read_line(&mut line).unwrap() > 0,
                "the server has ended"
            );
            if let Some(end) = line.trim().strip_prefix("ACCEPT ") {
                break end.rsplit(':').next().unwrap().parse().unwrap();
            }
        };
        // What it says is read to its end, so that it never waits.
        std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        (server, port)
    }
}

/// `-cipher` and security level 0: everything there is.
const ALL: &str = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";

/// A client that says a line, waits for the answer, and ends; what it tells.
fn s_client(port: u16, options: &[&str]) -> String {
    let mut command = openssl(&["s_client", "-connect", &format!("127.0.0.1:{port}")]);
    let mut client = command
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    {
        let mut stdin = client.stdin.take().unwrap();
        // It may have ended already.
        let _ = stdin.write_all(b"hello\n");
        let mut out = BufReader::new(client.stdout.take().unwrap());
        let mut line = Vec::new();
        while out.read_until(b'\n', &mut line).unwrap() > 0 {
            let text = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            said += &text;
            if text.trim_end().ends_with("olleh") {
                break;
            }
        }
        drop(stdin);
        let mut rest = Vec::new();
        out.read_to_end(&mut rest).unwrap();
        said += &String::from_utf8_lossy(&rest);
    }
    let mut errors = String::new();
    client
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    client.wait().unwrap();
    said + &errors
}

/// OpenSSL's names of suites, IANA's, and what OpenSSL says of each.
fn suites() -> Vec<(String, String, String)> {
    let list = output_of(&mut openssl(&[
        "ciphers", "-stdname", "-psk", "-s", "-v", ALL,
    ]));
    list.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (iana, _, name) = (words.next()?, words.next()?, words.next()?);
            Some((name.to_owned(), iana.to_owned(), line.to_owned()))
        })
        .collect()
}

/// What follows a text on its line.
fn after<'a>(said: &'a str, text: &str) -> Option<&'a str> {
    said.lines()
        .find_map(|l| Some(l.split_once(text)?.1.trim()))
}

/// The record's name of a group that OpenSSL names.
fn group(key: &str, is_13: bool) -> Value {
    let mut words = key.split([',', ' ']).filter(|w| !w.is_empty());
    let (kind, second) = (words.next().unwrap(), words.next().unwrap());
    json!(match (kind, second) {
        ("X25519", _) => "x25519".to_owned(),
        ("X448", _) => "x448".to_owned(),
        ("ECDH", "prime256v1" | "P-256") => "secp256r1".to_owned(),
        ("ECDH", name) =>
            name.replace("P-", "secp") + if name.starts_with("P-") { "r1" } else { "" },
        ("DH", bits) if is_13 => format!("ffdhe{bits}"),
        ("DH", bits) => format!("dh{bits}"),
        (kind, _) => kind.to_owned(),
    })
}

/// The fields of the record that the client's words tell.
fn told(said: &str, names: &BTreeMap<String, String>) -> Option<Vec<(&'static str, Value)>> {
    let line = said
        .lines()
        .find(|l| l.contains(", Cipher is ") && !l.contains("(NONE)"))?;
    let cipher = line.split_once(", Cipher is ")?.1.trim();
    let is_13 = line.contains("TLSv1.3");
    let version = match after(said, "Protocol  :") {
        _ if is_13 => "TLSv1.3",
        Some("TLSv1") => "TLSv1.0",
        Some(version) => version,
        None => return None,
    };
    let is_reused = line.starts_with("Reused");
    let mut all = vec![
        ("proto", json!("tls")),
        ("version", json!(version)),
        ("cipher", json!(names.get(cipher)?)),
        ("resumed", json!(is_reused)),
        ("established", json!(true)),
        ("inferred", json!(is_13)),
        ("failed", json!(false)),
        ("alerts", json!([])),
        ("gap", json!(false)),
        ("cut", json!(false)),
        ("malformed", json!(false)),
    ];
    let key = after(said, "Server Temp Key:");
    match key {
        Some(key) => all.push(("group", group(key, is_13))),
        None if !is_13 => all.push(("group", Value::Null)),
        None => {}
    }
    if is_13 {
        // What is encrypted is not known.
        for field in [
            "server_cert_subject",
            "client_cert_sent",
            "alpn",
            "signature_scheme",
        ] {
            all.push((field, Value::Null));
        }
        return Some(all);
    }
    let alpn = after(said, "ALPN protocol:").map_or(Value::Null, |p| json!(p));
    all.push(("alpn", alpn));
    let etm = after(said, "Extended master secret:").map(|v| v == "yes");
    all.extend(etm.map(|v| ("extended_master_secret", json!(v))));
    if let Some(bits) = after(said, "Server public key is ") {
        let bits: u64 = bits.split(' ').next()?.parse().ok()?;
        if bits > 0 && !is_reused {
            all.push(("server_cert_key_bits", json!(bits)));
        }
    }
    Some(all)
}

/// The scheme the client names, as the record has it.
fn scheme(said: &str) -> Value {
    let (Some(digest), Some(kind)) = (
        after(said, "Peer signing digest:"),
        after(said, "Peer signature type:"),
    ) else {
        return Value::Null;
    };
    let digest = digest.to_lowercase();
    json!(match (kind, digest.as_str()) {
        ("RSA", d) => format!("rsa_pkcs1_{d}"),
        ("RSA-PSS", d) => format!("rsa_pss_rsae_{d}"),
        ("ECDSA", "sha256") => "ecdsa_secp256r1_sha256".to_owned(),
        ("ECDSA", "sha384") => "ecdsa_secp384r1_sha384".to_owned(),
        ("ECDSA", "sha512") => "ecdsa_secp521r1_sha512".to_owned(),
        (kind, d) => format!("{}_{d}", kind.to_lowercase()),
    })
}

type Case = (u16, String, String, Vec<(&'static str, Value)>);

/// Compares every case with its record.
fn check(relay: &Relay, name: &str, cases: Vec<Case>, wrong: &mut Vec<String>) -> usize {
    let names: BTreeMap<_, _> = suites().into_iter().map(|(a, b, _)| (a, b)).collect();
    let records = relay.records(name);
    assert_eq!(records.len(), cases.len(), "{name}");
    let count = cases.len();
    for (client, label, said, more) in cases {
        let Some(mut wanted) = told(&said, &names) else {
            wrong.push(format!("{label}: no session: {said}"));
            continue;
        };
        let record = records.get(&client);
        if wanted
            .iter()
            .any(|(f, v)| *f == "version" && v == "TLSv1.2")
        {
            wanted.push(("signature_scheme", scheme(&said)));
        }
        wanted.extend(more);
        compare(&label, record, &wanted, wrong);
    }
    count
}

#[test]
fn each_version_and_suite() {
    if !has("openssl", "each suite of TLS") {
        return;
    }
    let keys = Keys::new();
    let (mut wrong, mut count) = (Vec::new(), 0);
    let base = ["-cipher", ALL, "-alpn", "live/1"];
    let with_psk = [&base[..], &["-psk", "0123456789abcdef", "-tls1_2"]].concat();
    for (server, certificates, options, of) in [
        (
            "rsa-ec",
            &["rsa", "ec"][..],
            &base[..],
            &["RSA", "ECDSA", "None", "any"][..],
        ),
        ("dsa", &["dsa"], &base, &["DSS"]),
        (
            "psk",
            &["rsa"],
            &with_psk,
            &["PSK", "RSAPSK", "DHEPSK", "ECDHEPSK"],
        ),
    ] {
        let (_server, port) = keys.server(certificates, options);
        let relay = Relay::to(port);
        let mut cases: Vec<Case> = Vec::new();
        for (name, iana, line) in suites() {
            let word = |mark: &str| after(&line, mark).and_then(|w| w.split(' ').next());
            let psk = word("Kx=").is_some_and(|k| k.ends_with("PSK"));
            let auth = word("Au=").unwrap_or("");
            if psk != (server == "psk") || !psk && !of.contains(&auth) {
                continue;
            }
            let versions: &[&str] = if line.contains(" TLSv1.3 ") {
                &["-tls1_3"]
            } else if line.contains(" TLSv1.2 ") || psk {
                &["-tls1_2"]
            } else {
                &["-tls1", "-tls1_1", "-tls1_2"]
            };
            for version in versions {
                let list = format!("{name}:@SECLEVEL=0");
                let mut options = vec![*version, "-servername", "live.example", "-alpn", "live/1"];
                if *version == "-tls1_3" {
                    options.extend(["-ciphersuites", &name]);
                } else {
                    options.extend(["-cipher", &list]);
                }
                if psk {
                    options.extend(["-psk", "0123456789abcdef"]);
                }
                let said = s_client(relay.port, &options);
                let more = vec![("cipher", json!(iana)), ("sni", json!("live.example"))];
                cases.push((
                    relay.settle(),
                    format!("{server} {version} {name}"),
                    said,
                    more,
                ));
            }
        }
        assert!(!cases.is_empty(), "{server} has suites");
        count += check(&relay, &format!("suites-{server}"), cases, &mut wrong);
    }
    say(&format!(
        "{count} connections of OpenSSL, one for each suite and version"
    ));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 100, "there are suites: {count}");
}

#[test]
fn groups_certificates_and_resumption() {
    if !has(
        "openssl",
        "groups, client certificates and resumption of TLS",
    ) {
        return;
    }
    let keys = Keys::new();
    let mut wrong = Vec::new();
    let (_server, port) = keys.server(&["rsa"], &["-cipher", ALL, "-groups", GROUPS]);
    let relay = Relay::to(port);
    let mut cases: Vec<Case> = Vec::new();
    const GROUPS: &str =
        "X25519:P-256:X448:P-521:P-384:ffdhe2048:ffdhe3072:ffdhe4096:ffdhe6144:ffdhe8192";
    for group in GROUPS.split(':') {
        for version in ["-tls1_2", "-tls1_3"] {
            if version == "-tls1_2" && group.starts_with("ffdhe") {
                continue;
            }
            let said = s_client(relay.port, &[version, "-groups", group]);
            let more = vec![("hello_retry", json!(false)), ("pq", json!("classical"))];
            cases.push((relay.settle(), format!("{version} {group}"), said, more));
        }
    }
    // Sessions that are resumed, and the ones before.
    for version in ["-tls1_2", "-tls1_3"] {
        for ticket in [&[][..], &["-no_ticket"]] {
            let file = keys.path(&format!("session{version}{}", ticket.len()));
            let first = [&[version, "-sess_out", &file], ticket].concat();
            let said = s_client(relay.port, &first);
            cases.push((relay.settle(), format!("{first:?}"), said, vec![]));
            let again = [&[version, "-sess_in", &file], ticket].concat();
            let said = s_client(relay.port, &again);
            let is_reused = said.contains("\nReused, ");
            assert!(is_reused || !ticket.is_empty(), "{again:?}: {said}");
            cases.push((relay.settle(), format!("{again:?}"), said, vec![]));
        }
    }
    let mut count = check(&relay, "groups", cases, &mut wrong);

    // A group that the server does not want first.
    let (_server, port) = keys.server(&["rsa"], &["-groups", "P-384"]);
    let relay = Relay::to(port);
    let said = s_client(relay.port, &["-groups", "X25519:P-384"]);
    let more = vec![("hello_retry", json!(true)), ("group", json!("secp384r1"))];
    let cases = vec![(relay.settle(), "retry".to_owned(), said, more)];
    count += check(&relay, "retry", cases, &mut wrong);

    // Servers that ask for a certificate.
    let (_server, port) = keys.server(&["rsa"], &["-verify", "3", "-CAfile", &keys.path("client")]);
    let relay = Relay::to(port);
    let (cert, key) = (keys.path("client"), keys.path("client.key"));
    let mut cases: Vec<Case> = Vec::new();
    let said = s_client(relay.port, &["-tls1_2"]);
    let none = vec![
        ("client_cert_requested", json!(true)),
        ("client_cert_sent", json!(false)),
    ];
    cases.push((relay.settle(), "asked in vain".into(), said, none));
    let said = s_client(relay.port, &["-tls1_2", "-cert", &cert, "-key", &key]);
    let one = vec![
        ("client_cert_requested", json!(true)),
        ("client_cert_sent", json!(true)),
        ("client_cert_subject", json!("CN=client.example,O=Live")),
        ("server_cert_subject", json!("CN=rsa.example,O=Live")),
    ];
    cases.push((relay.settle(), "asked".into(), said, one));
    let said = s_client(relay.port, &["-tls1_3", "-cert", &cert, "-key", &key]);
    cases.push((relay.settle(), "asked in secret".into(), said, vec![]));
    count += check(&relay, "client-certificates", cases, &mut wrong);
    say(&format!(
        "{count} connections of OpenSSL with groups, certificates and sessions"
    ));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn handshakes_that_fail() {
    if !has("openssl", "handshakes of TLS that fail") {
        return;
    }
    let keys = Keys::new();
    let mut wrong = Vec::new();
    for (label, server, client, from, alert) in [
        (
            "version",
            &["-no_tls1_3"][..],
            &["-tls1_3"][..],
            "server",
            "protocol_version",
        ),
        (
            "suite",
            &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
            &["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"],
            "server",
            "handshake_failure",
        ),
        (
            "trust",
            &["-tls1_2"],
            &["-tls1_2", "-verify_return_error"],
            "client",
            "unknown_ca",
        ),
    ] {
        let (_server, port) = keys.server(&["rsa"], server);
        let relay = Relay::to(port);
        let said = s_client(relay.port, client);
        assert!(said.contains("alert") || said.contains("verify"), "{said}");
        let port = relay.settle();
        let records = relay.records(&format!("failed-{label}"));
        let wanted = [
            ("proto", json!("tls")),
            ("failed", json!(true)),
            ("established", json!(false)),
        ];
        compare(label, records.get(&port), &wanted, &mut wrong);
        let told = &records[&port]["alerts"][0];
        let sent = (told["from"].as_str(), told["desc"].as_str());
        if sent != (Some(from), Some(alert)) {
            wrong.push(format!("{label}: {told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a server of the protocol says before TLS, as `s_client -starttls` wants it.
const UPGRADES: [(&str, live::Script); 12] = [
    ("smtp", |f| {
        f.say(b"220 live.example ESMTP\r\n");
        f.hear(b"\r\n");
        f.say(b"250-live.example\r\n250 STARTTLS\r\n");
        f.hear(b"STARTTLS\r\n");
        f.say(b"220 go ahead\r\n");
    }),
    ("lmtp", |f| {
        f.say(b"220 live.example LMTP\r\n");
        f.hear(b"\r\n");
        f.say(b"250-live.example\r\n250 STARTTLS\r\n");
        f.hear(b"STARTTLS\r\n");
        f.say(b"220 go ahead\r\n");
    }),
    ("pop3", |f| {
        f.say(b"+OK ready\r\n");
        f.hear(b"STLS\r\n");
        f.say(b"+OK begin\r\n");
    }),
    ("imap", |f| {
        f.say(b"* OK ready\r\n");
        f.hear(b"CAPABILITY\r\n");
        f.say(b"* CAPABILITY IMAP4rev1 STARTTLS\r\n. OK done\r\n");
        f.hear(b"STARTTLS\r\n");
        f.say(b". OK begin\r\n");
    }),
    ("ftp", |f| {
        f.say(b"220 ready\r\n");
        f.hear(b"AUTH TLS\r\n");
        f.say(b"234 begin\r\n");
    }),
    ("xmpp", |f| {
        f.hear(b"'1.0'>");
        f.say(
            b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
              version='1.0'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\
              </stream:features>",
        );
        f.hear(b"/>");
        f.say(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    }),
    ("telnet", |f| {
        f.say(&[255, 253, 46]);
        f.hear_bytes(9);
        f.say(&[255, 250, 46, 1, 255, 240]);
    }),
    ("irc", |f| {
        f.hear(b"STARTTLS\r\n");
        f.say(b":live.example 670 * :begin\r\n");
    }),
    ("postgres", |f| {
        f.hear_bytes(8);
        f.say(b"S");
    }),
    ("nntp", |f| {
        f.say(b"200 ready\r\n");
        f.hear(b"CAPABILITIES\r\n");
        f.say(b"101 list\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n");
        f.hear(b"STARTTLS\r\n");
        f.say(b"382 begin\r\n");
    }),
    ("sieve", |f| {
        f.say(b"\"IMPLEMENTATION\" \"live\"\r\n\"STARTTLS\"\r\nOK \"ready\"\r\n");
        f.hear(b"STARTTLS\r\n");
        f.say(b"OK \"begin\"\r\n");
    }),
    ("ldap", |f| {
        f.hear(b"1.3.6.1.4.1.1466.20037");
        // RFC 4511 §4.12: message 1, an extended response with result 0.
        f.say(&[0x30, 12, 2, 1, 1, 0x78, 7, 10, 1, 0, 4, 0, 4, 0]);
    }),
];

#[test]
fn tls_after_clear_text() {
    if !has("openssl", "TLS after clear text") {
        return;
    }
    let keys = Keys::new();
    let (mut wrong, mut count) = (Vec::new(), 0);
    let (_server, port) = keys.server(&["rsa"], &[]);
    for (protocol, script) in UPGRADES {
        let relay = Relay::behind(port, script);
        let mut cases: Vec<Case> = Vec::new();
        for version in ["-tls1_2", "-tls1_3"] {
            let said = s_client(relay.port, &["-starttls", protocol, version]);
            cases.push((
                relay.settle(),
                format!("{protocol} {version}"),
                said,
                vec![],
            ));
        }
        count += check(&relay, &format!("starttls-{protocol}"), cases, &mut wrong);
    }
    say(&format!("{count} connections that began in clear text"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_curl_says() {
    if !has("openssl", "curl's traffic") || !has("curl", "curl's traffic") {
        return;
    }
    let keys = Keys::new();
    let names: BTreeMap<_, _> = suites().into_iter().map(|(a, b, _)| (a, b)).collect();
    let mut wrong = Vec::new();
    let (_server, port) = keys.server(&["rsa", "ec"], &["-alpn", "h2,http/1.1"]);
    let relay = Relay::to(port);
    let mut cases = Vec::new();
    for (version, wanted) in [("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")] {
        for http in ["--http1.1", "--http2"] {
            let url = format!("https://localhost:{}/", relay.port);
            let said = output_of(
                Command::new("curl")
                    .args([
                        "-4",
                        "-vsk",
                        "--max-time",
                        "1",
                        http,
                        "--tls-max",
                        version,
                        &url,
                    ])
                    .env_remove("https_proxy")
                    .env_remove("HTTPS_PROXY")
                    .env_remove("ALL_PROXY")
                    .args(["--noproxy", "*"])
                    .env("OPENSSL_CONF", "/dev/null"),
            );
            cases.push((
                relay.settle(),
                format!("curl {version} {http}"),
                said,
                wanted,
            ));
        }
    }
    let records = relay.records("curl");
    for (client, label, said, version) in cases {
        let session = after(&said, "SSL connection using ").unwrap_or_else(|| panic!("{said}"));
        let (told, cipher) = session.split_once(" / ").unwrap();
        assert_eq!(told, version);
        let is_13 = told == "TLSv1.3";
        let alpn = after(&said, "ALPN: server accepted ");
        let wanted = [
            ("version", json!(told)),
            ("cipher", json!(names[cipher.split(' ').next().unwrap()])),
            ("sni", json!("localhost")),
            ("established", json!(true)),
            ("alpn", if is_13 { Value::Null } else { json!(alpn) }),
        ];
        assert!(alpn.is_some(), "{said}");
        compare(&label, records.get(&client), &wanted, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
