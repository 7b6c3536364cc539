//! SSH handshakes, through the public interface.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

mod common;

use common::*;
use hostward_zert::Protocol;
use hostward_zert::record::PqClass;

#[test]
// RFC 4253 §4.2, §8; RFC 5656 §4: lines before the identification, exchange, host key.
fn in_full() {
    let r = record_of(&ssh());
    assert_eq!(r.protocol, Protocol::Ssh);
    let s = &r.ssh;
    assert_eq!(s.client_version.get(), Some("SSH-2.0-test_1.0"));
    assert_eq!(s.server_version.get(), Some("SSH-2.0-OpenSSH_9.2p1 Debian"));
    assert_eq!(s.protocol, Some(2));
    assert_eq!(s.kex.get(), Some("mlkem768x25519-sha256"));
    assert_eq!(s.host_key_alg.get(), Some("ssh-ed25519"));
    assert_eq!(s.c2s.cipher.get(), Some("aes128-gcm@openssh.com"));
    assert_eq!(s.c2s.mac.get(), Some("hmac-sha2-256"));
    assert_eq!(s.c2s.mac_implicit(), Some(true));
    assert_eq!(s.s2c.compression.get(), Some("none"));
    assert_eq!(s.host_key_type.get(), Some("ssh-ed25519"));
    assert!(
        s.host_key_fingerprint
            .unwrap()
            .to_string()
            .starts_with("SHA256:")
    );
    assert!(s.hassh.is_some() && s.hassh_server.is_some() && s.hassh != s.hassh_server);
    assert_eq!((r.established, r.failed), (Some(true), false));
    assert_eq!(r.pq, PqClass::Hybrid);
}

#[test]
// CVE-2023-48795; OpenSSH's PROTOCOL §1.10: the key exchange is strict if both sides offer it.
fn strict_key_exchange_is_in_the_record() {
    let cipher = "chacha20-poly1305@openssh.com";
    let of = |client: &str, server: &str| {
        let offer = |mark: &str| {
            kexinit(
                &["mlkem768x25519-sha256", mark].concat(),
                cipher,
                "hmac-sha1",
            )
        };
        let mut talk = ssh();
        talk[1].1 = cat(&[b"SSH-2.0-test_1.0\r\n", &offer(client)]);
        talk[2].1 = offer(server);
        let r = record_of(&talk);
        assert_eq!(r.established, Some(true));
        (r.ssh.strict_kex, r.ssh.is_prefix_exposed())
    };
    let marks = [
        ",kex-strict-c-v00@openssh.com",
        ",kex-strict-s-v00@openssh.com",
    ];
    assert_eq!(of(marks[0], marks[1]), (Some(true), false));
    assert_eq!(of(marks[0], ""), (Some(false), true));
    assert_eq!(of("", ""), (Some(false), true));
}

#[test]
fn the_handshake_tells_who_is_the_client() {
    // A reverse session: whoever accepted the connection is the client.
    let turned: Talk = ssh().into_iter().map(|(s, d)| (s.other(), d)).collect();
    let r = record_of(&turned);
    assert_eq!(r.client.port(), 443);
    assert_eq!(r.ssh.client_version.get(), Some("SSH-2.0-test_1.0"));
    assert_eq!(r.ssh.kex.get(), Some("mlkem768x25519-sha256"));
}

#[test]
// RFC 5656 §4: only the client sends message 30, only the server 31. A client that mixes the marks
// of a server into its offer, or adds a server's message, stays the client, and what it showed is
// not the server's host key.
fn a_client_cannot_pass_for_the_server() {
    let honest = record_of(&ssh());
    let offer = |kex| kexinit(kex, "aes128-gcm@openssh.com,aes128-ctr", "hmac-sha2-256");
    let forged = cat(&[&string(b"ssh-rsa"), &string(&[7; 32])]);
    let forged = ssh_packet(&cat(&[&[31], &string(&forged), &string(&[1; 32])]));
    let init = ssh().swap_remove(3).1;
    let marked = "mlkem768x25519-sha256,kex-strict-s-v00@openssh.com";
    let rsa = "rsa2048-sha256,mlkem768x25519-sha256,ext-info-s";
    for (kex, init) in [
        (marked, init.clone()),
        (rsa, init.clone()),
        (marked, cat(&[&forged, &init])),
        (marked, cat(&[&init, &forged])),
    ] {
        let mut talk = ssh();
        talk[1].1 = cat(&[b"SSH-2.0-test_1.0\r\n", &offer(kex)]);
        talk[3].1 = init;
        let r = record_of(&talk);
        assert_eq!(r.client, honest.client);
        assert_eq!(r.ssh.client_version, honest.ssh.client_version);
        assert_eq!(r.ssh.kex, honest.ssh.kex);
        assert_eq!(r.ssh.host_key_type, honest.ssh.host_key_type);
        assert_eq!(r.ssh.host_key_fingerprint, honest.ssh.host_key_fingerprint);
        assert_eq!(r.established, Some(true));
    }
    // Nor can a server pass for the client.
    let mut talk = ssh();
    talk[4].1 = cat(&[&talk[3].1, &talk[4].1]);
    let r = record_of(&talk);
    assert_eq!(r.client, honest.client);
    assert_eq!(r.ssh.host_key_fingerprint, honest.ssh.host_key_fingerprint);
}

#[test]
// RFC 4432 §4: the server sends message 30, the client 31.
fn rsa_key_exchange_turns_the_numbers_round() {
    let mut talk: Talk = ssh();
    talk[1].1 = cat(&[b"SSH-2.0-c\r\n", &kexinit("rsa2048-sha256,x", "c", "m")]);
    talk[2].1 = kexinit("x,rsa2048-sha256", "c", "m");
    talk[3] = (
        Server,
        ssh_packet(&cat(&[&[30], &string(&host_key()), &string(&[2; 32])])),
    );
    talk[4] = (Client, ssh_packet(&cat(&[&[31], &string(&[9; 256])])));
    let r = record_of(&talk);
    assert_eq!(r.client, record_of(&ssh()).client);
    assert_eq!(r.ssh.kex.get(), Some("rsa2048-sha256"));
}

#[test]
// RFC 4253 §11.1: a disconnect before the new keys.
fn disconnect_is_failure() {
    let mut talk: Talk = ssh().into_iter().take(3).collect();
    talk.push((Server, ssh_packet(&[1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0])));
    let r = record_of(&talk);
    assert_eq!((r.established, r.failed), (Some(false), true));
}

#[test]
// RFC 4253 §5.1: a server that knows both versions and a client that knows the old one.
fn version_1() {
    let r = record_of(&vec![
        (Server, b"SSH-1.99-OpenSSH_3.1p1\n".to_vec()),
        (Client, b"SSH-1.5-1.2.26\n".to_vec()),
        (Server, vec![0, 0, 1, 3, 5, 5, 5, 5, 5, 2, 0, 0]),
    ]);
    assert_eq!(r.ssh.protocol, Some(1));
    assert_eq!(r.ssh.client_version.get(), Some("SSH-1.5-1.2.26"));
    assert_eq!((r.established, r.failed), (None, false));
    assert!(!r.malformed);
}

#[test]
fn one_side_only() {
    let talk: Talk = ssh().into_iter().filter(|(s, _)| *s == Client).collect();
    let r = record_of(&talk);
    assert_eq!(r.ssh.client_version.get(), Some("SSH-2.0-test_1.0"));
    assert_eq!(r.ssh.server_version.get(), None);
    assert_eq!(r.ssh.kex.get(), None);
    assert!(r.ssh.hassh.is_some() && r.ssh.newkeys_client);
    assert_eq!(r.established, None);
}

#[test]
// RFC 4253 §4.2, §6.1: the longest line and the longest packet.
fn nonsense_after_the_banner() {
    let r = record_of(&vec![
        (Client, b"SSH-2.0-x\r\n".to_vec()),
        (Server, cat(&[b"SSH-2.0-y\r\n", &[0xFF; 64]])),
    ]);
    assert!(r.malformed);
    let r = record_of(&vec![(Client, cat(&[b"SSH-2.0-", &[b'x'; 5000]]))]);
    assert!(r.malformed);
    assert_eq!(r.ssh.client_version.get(), None);
}

#[test]
// RFC 4419 §5: the group stands where other methods have the host key.
fn group_exchange() {
    let mut talk: Talk = ssh().into_iter().take(3).collect();
    let group = cat(&[&[31], &string(&[0x7F; 257]), &string(&[2])]);
    let reply = cat(&[
        &[33],
        &string(&host_key()),
        &string(&[1; 256]),
        &string(b"s"),
    ]);
    talk.push((
        Client,
        ssh_packet(&[34, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0, 16, 0]),
    ));
    talk.push((Server, ssh_packet(&group)));
    let r = record_of(&talk);
    assert_eq!(r.ssh.host_key_type.get(), None);
    talk.push((Client, ssh_packet(&cat(&[&[32], &string(&[2; 256])]))));
    talk.push((Server, ssh_packet(&reply)));
    let r = record_of(&talk);
    assert_eq!(r.ssh.host_key_type.get(), Some("ssh-ed25519"));
    assert!(r.ssh.host_key_fingerprint.is_some());
}

#[test]
// RFC 4251 §6: no name is longer.
fn long_names_are_cut() {
    let long = "x".repeat(100);
    let mut talk: Talk = ssh().into_iter().take(3).collect();
    talk[1].1 = cat(&[b"SSH-2.0-a\r\n", &kexinit(&long, &long, "m")]);
    talk[2].1 = kexinit(&long, &long, "m");
    let r = record_of(&talk);
    assert_eq!(r.ssh.kex.get().map(str::len), Some(64));
    assert!(r.cut);
}
