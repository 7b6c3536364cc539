//! OpenSSH's client and server with each key exchange, cipher and MAC they offer: records agree with
//! what the client says of itself.
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

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use live::{Guarded, Relay, await_port, compare, free_port, has, output_of, say};
use serde_json::{Value, json};

/// Key types, with the length that is asked for.
const KEYS: [(&str, &str); 7] = [
    ("rsa", "3072"),
    ("rsa", "1024"),
    ("dsa", "1024"),
    ("ecdsa", "256"),
    ("ecdsa", "384"),
    ("ecdsa", "521"),
    ("ed25519", "256"),
];

fn offered(what: &str) -> Vec<String> {
    let list = output_of(Command::new("ssh").args(["-Q", what]));
    list.lines().map(str::to_owned).collect()
}

/// A server with all that it knows, unless it is told otherwise, and one host key.
fn sshd(folder: &Path, key: &Path, first: &str) -> (Guarded, u16) {
    let port = free_port();
    let config = folder.join(format!("config-{port}"));
    let mut text = format!(
        "{first}\nListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nPidFile none\nUsePAM no\n\
         StrictModes no\nMaxStartups 1000\nLogLevel QUIET\nRequiredRSASize 1024\n",
        key.display()
    );
    for (word, what) in [
        ("KexAlgorithms", "kex"),
        ("Ciphers", "cipher"),
        ("MACs", "mac"),
        ("HostKeyAlgorithms", "key-sig"),
    ] {
        text += &format!("{word} {}\n", offered(what).join(","));
    }
    std::fs::write(&config, text).unwrap();
    // sshd wants its whole path. Root would need a folder of the system's.
    let mut command = Command::new("/usr/sbin/sshd");
    command.arg("-D").arg("-f").arg(&config);
    let is_root = output_of(Command::new("id").arg("-u")).trim() == "0";
    if is_root {
        command.uid(65_534).gid(65_534);
    }
    let server = command.stderr(Stdio::null()).spawn().unwrap();
    let server = Guarded(server);
    await_port(port);
    (server, port)
}

/// A client; what it says with all its words.
fn ssh(port: u16, options: &[&str]) -> String {
    let mut command = Command::new("ssh");
    command.args([
        "-vvv",
        "-F",
        "none",
        "-p",
        &port.to_string(),
        "-l",
        "nobody",
    ]);
    let all = format!("HostKeyAlgorithms={}", offered("key-sig").join(","));
    for option in [
        "BatchMode=yes",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "GlobalKnownHostsFile=/dev/null",
        "IdentitiesOnly=yes",
        "IdentityFile=none",
        "PreferredAuthentications=none",
        "RequiredRSASize=1024",
        "ConnectTimeout=20",
    ]
    .iter()
    .chain(options)
    .copied()
    .chain([all.as_str()])
    {
        command.args(["-o", option]);
    }
    output_of(command.arg("127.0.0.1").stdin(Stdio::null()))
}

/// What follows a text on its line.
fn after<'a>(said: &'a str, text: &str) -> Option<&'a str> {
    said.lines()
        .find_map(|l| Some(l.split_once(text)?.1.trim_end()))
}

/// The fields of the record that the client's words tell.
fn told(said: &str) -> Option<Vec<(&'static str, Value)>> {
    let direction = |text: &str| {
        let mut words = after(said, text)?.split(' ');
        let cipher = words.next()?;
        let mac = words.nth(1)?;
        let compression = words.nth(1)?;
        Some((cipher.to_owned(), mac.to_owned(), compression.to_owned()))
    };
    let (cipher_c2s, mac_c2s, compression_c2s) = direction("kex: client->server cipher: ")?;
    let (cipher_s2c, mac_s2c, compression_s2c) = direction("kex: server->client cipher: ")?;
    let (host_key, fingerprint) = after(said, "Server host key: ")?.split_once(' ')?;
    let local = after(said, "Local version string ")?;
    let remote = after(said, "remote software version ")?;
    let strict = said.contains("will use strict KEX ordering");
    let mut all = vec![
        ("proto", json!("ssh")),
        ("ssh_protocol", json!(2)),
        ("client_version", json!(local)),
        ("server_version", json!(format!("SSH-2.0-{remote}"))),
        ("kex", json!(after(said, "kex: algorithm: ")?)),
        (
            "host_key_alg",
            json!(after(said, "kex: host key algorithm: ")?),
        ),
        ("cipher_c2s", json!(cipher_c2s)),
        ("cipher_s2c", json!(cipher_s2c)),
        ("compression_c2s", json!(compression_c2s)),
        ("compression_s2c", json!(compression_s2c)),
        ("host_key_type_seen", json!(host_key)),
        ("host_key_fingerprint", json!(fingerprint)),
        ("strict_kex", json!(strict)),
        ("established", json!(true)),
        ("failed", json!(false)),
        ("newkeys", json!({ "client": true, "server": true })),
    ];
    // OpenSSH says of ciphers that need no MAC that it is implicit; the record says which was
    // negotiated.
    for (said, mac, implicit) in [
        (&mac_c2s, "mac_c2s", "mac_implicit_c2s"),
        (&mac_s2c, "mac_s2c", "mac_implicit_s2c"),
    ] {
        all.push((implicit, json!(said == "<implicit>")));
        if said != "<implicit>" {
            all.push((mac, json!(said)));
        }
    }
    Some(all)
}

#[test]
fn records_agree_with_what_openssh_says() {
    for program in ["ssh", "ssh-keygen"] {
        if !has(program, "OpenSSH's traffic") {
            return;
        }
    }
    if !Path::new("/usr/sbin/sshd").exists() {
        return say("skipped: OpenSSH's traffic needs /usr/sbin/sshd");
    }
    let folder = tempfile::tempdir().unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (kind, bits) in KEYS {
        let key = folder.path().join(format!("{kind}-{bits}"));
        let made = output_of(
            Command::new("ssh-keygen")
                .args(["-q", "-N", "", "-t", kind, "-b", bits, "-f"])
                .arg(&key),
        );
        if !key.exists() {
            say(&format!("left out: no {kind} key: {}", made.trim()));
            continue;
        }
        // Readable by the user the server runs as; its own keys it would not take so.
        let is_root = output_of(Command::new("id").arg("-u")).trim() == "0";
        let mode = if is_root { 0o644 } else { 0o600 };
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let (_server, port) = sshd(folder.path(), &key, "");
        let relay = Relay::to(port);
        let mut cases: Vec<Vec<String>> = Vec::new();
        if kind == "ed25519" {
            for (what, option) in [
                ("kex", "KexAlgorithms"),
                ("cipher", "Ciphers"),
                ("mac", "MACs"),
            ] {
                for name in offered(what) {
                    let mut options = vec![format!("{option}={name}")];
                    if what == "mac" {
                        // A cipher that needs one.
                        options.push("Ciphers=aes128-ctr,aes128-cbc".into());
                    }
                    cases.push(options);
                }
            }
            // What the directions have in common only by the client's choice.
            cases.push(vec!["Compression=yes".into()]);
            cases.push(vec![
                "Ciphers=aes192-cbc".into(),
                "MACs=hmac-sha2-512-etm@openssh.com".into(),
            ]);
        } else {
            cases.push(Vec::new());
        }
        let mut expected = Vec::new();
        for options in cases {
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let said = ssh(relay.port, &options);
            expected.push((relay.settle(), format!("{kind}-{bits} {options:?}"), said));
        }
        let records = relay.records(&format!("ssh-{kind}-{bits}"));
        assert_eq!(records.len(), expected.len());
        for (client, label, said) in expected {
            count += 1;
            let Some(mut wanted) = told(&said) else {
                wrong.push(format!("{label}: no connection: {said}"));
                continue;
            };
            wanted.push(("host_key_bits", json!(bits.parse::<u64>().unwrap())));
            wanted.push(("sport", json!(client)));
            compare(&label, records.get(&client), &wanted, &mut wrong);
        }
        if kind == "ed25519" {
            // Nothing in common: the handshake fails.
            let (_other, port) = sshd(folder.path(), &key, "Ciphers aes256-ctr");
            let relay = Relay::to(port);
            let said = ssh(relay.port, &["Ciphers=aes128-ctr"]);
            assert!(said.contains("no matching cipher found"), "{said}");
            let client = relay.settle();
            let records = relay.records("ssh-failed");
            let wanted = [
                ("proto", json!("ssh")),
                ("failed", json!(true)),
                ("established", json!(false)),
            ];
            compare(
                "nothing in common",
                records.get(&client),
                &wanted,
                &mut wrong,
            );
        }
    }
    say(&format!("{count} connections of OpenSSH"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 30, "there are algorithms");
}
