//! `hostward policy explain` as an administrator runs it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    reason = "a failing test may panic"
)]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;

use common::{command, feed, lines, text};
use hostward::filter::PacketText;

const GOOD: &str = "tests/policies/good.conf";

fn explain(args: &[&str]) -> Output {
    let mut command = command(&["policy", "explain"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(args).output().unwrap()
}

#[test]
fn every_rule_up_to_the_one_that_decides_is_told() {
    let output = explain(&[
        "--packet",
        "in tcp 10.1.1.7:2000 > 10.1.1.1:81 syn at 2026-11-22T12:00:00+02:00",
        GOOD,
    ]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stdout),
        "Packet: inbound, tcp 10.1.1.7:2000 > 10.1.1.1:81, opens a connection, local traffic
Time:   2026-11-22T10:00:00Z
Rules:  IP filter policy

   1  Web  tests/policies/good.conf:6
      destination port 81 is not 80 (simple filter 2)

Decision: deny, no rule matches
"
    );
    let output = explain(&["--packet", "out tcp 10.1.1.1:80 > 10.1.1.7:2000", GOOD]);
    let told = text(&output.stdout);
    assert!(
        told.contains("      matches through simple filter 1: permit\n"),
        "{told}"
    );
    assert!(
        told.ends_with("\nDecision: permit, by rule 1 Web\n"),
        "{told}"
    );
}

/// So many rules for one address each, then one for all.
fn long(rules: usize) -> String {
    let mut refs = String::new();
    let mut texts = String::new();
    let mut rule = |name: &str, source: &str, action: &str| {
        writeln!(refs, "  IpFilterRuleRef {name}").unwrap();
        write!(
            texts,
            "IpFilterRule {name}\n{{\n  IpSourceAddr {source}\n  IpDestAddr All4\n  IpService\n  {{\n    \
             Protocol Udp\n    Direction Outbound\n  }}\n  IpGenericFilterAction\n  {{\n    \
             IpFilterAction {action}\n    DiscardAction ICMP\n  }}\n}}\n"
        )
        .unwrap();
    };
    for n in 0..rules {
        rule(&format!("R{n}"), &format!("10.0.0.{n}"), "Deny");
    }
    rule("Rest", "All4", "Deny");
    format!("IpFilterPolicy\n{{\n{refs}}}\n{texts}")
}

#[test]
fn of_many_rules_those_for_the_addresses_are_shown() {
    let policy = long(30);
    let ask = |args: &[&str]| {
        let mut all = vec![
            "policy",
            "explain",
            "--packet",
            "out udp 10.0.0.3:1 > 10.9.0.1:53",
        ];
        all.extend(args);
        all.push("-");
        text(&feed(&mut command(&all), policy.as_bytes()).stdout)
    };
    let few = ask(&[]);
    assert!(few.contains("   4  R3  -:"), "{few}");
    assert!(
        few.contains("Decision: deny, by rule 4 R3; the sender is told (ICMP)"),
        "{few}"
    );
    let ask = |args: &[&str]| {
        let mut all = vec![
            "policy",
            "explain",
            "--packet",
            "out tcp 10.0.0.3:1 > 10.9.0.1:53",
        ];
        all.extend(args);
        all.push("-");
        text(&feed(&mut command(&all), policy.as_bytes()).stdout)
    };
    let few = ask(&[]);
    assert!(
        few.contains("it is for protocol udp, the packet is tcp"),
        "{few}"
    );
    assert!(few.contains("29 rules more: for other addresses"), "{few}");
    assert_eq!(few.matches("is not in").count(), 0, "{few}");
    let all = ask(&["--all"]);
    assert_eq!(
        all.matches("source 10.0.0.3 is not in 10.0.0.").count(),
        29,
        "{all}"
    );
    assert!(!all.contains("more"), "{all}");
}

/// A branch office behind a tunnel, and a web server for all.
const TUNNEL: &str = "IpFilterPolicy
{
  IpFilterRuleRef Branch
  IpFilterRuleRef Web
}
IpFilterRule Branch
{
  IpDestAddr 10.2.0.0/16
  IpService
  {
    Protocol Tcp
  }
  IpDynVpnActionRef Gold
  IpGenericFilterAction protect
  {
    IpFilterAction IpSec
  }
}
IpFilterRule Web
{
  IpService
  {
    SourcePortRange 80
    Protocol Tcp
  }
  IpGenericFilterAction pass
  {
    IpFilterAction Permit
    DiscardAction ICMP
  }
}
IpDynVpnAction Gold
{
  IpDataOffer
  {
  }
}
";

#[test]
fn what_came_through_a_tunnel_is_explained() {
    let ask = |packet: &str| {
        let mut command = command(&["policy", "explain", "--packet", packet, "-"]);
        let output = feed(&mut command, TUNNEL.as_bytes());
        let said = text(&output.stdout);
        let (_, decision) = said.split_once("\nDecision: ").unwrap_or(("", ""));
        let mut command = crate::command(&["policy", "explain", "--json", "--packet", packet, "-"]);
        let output = feed(&mut command, TUNNEL.as_bytes());
        let [object] = &lines(&output)[..] else {
            panic!("one line");
        };
        (
            decision.trim_end().to_owned(),
            object["decision"].as_str().unwrap().to_owned(),
            object["excused_by"]["number"].as_u64(),
            object["tunnel"].as_str().map(ToOwned::to_owned),
        )
    };
    let gold = || Some("Gold".to_owned());
    for (packet, decision, name, excused, tunnel) in [
        (
            "in tcp 10.2.0.9:2000 > 10.1.1.1:22 through Gold",
            "permit, it came through tunnel Gold, by rule 1 Branch",
            "permit",
            None,
            gold(),
        ),
        (
            "in tcp 10.2.0.9:2000 > 10.1.1.1:22",
            "deny, it came in the clear and not through tunnel Gold, by rule 1 Branch",
            "not_through_tunnel",
            None,
            gold(),
        ),
        (
            "in tcp 10.2.0.9:2000 > 10.1.1.1:22 through *",
            "deny, it came through another tunnel and not through tunnel Gold, by rule 1 Branch",
            "not_through_tunnel",
            None,
            gold(),
        ),
        (
            "in tcp 10.3.0.9:2000 > 10.1.1.1:80 through Gold",
            "deny, it came through a tunnel and the rule is not for tunnels, by rule 2 Web; the \
             sender is told (ICMP)",
            "unexpected_tunnel",
            None,
            None,
        ),
        (
            "out tcp 10.1.1.1:22 > 10.2.0.9:2000",
            "send it through tunnel Gold, by rule 1 Branch",
            "protect",
            None,
            gold(),
        ),
        (
            "in icmp 192.0.2.1 > 10.1.1.1 type 3 code 1 through Gold about tcp syn 10.1.1.1:22 > \
             10.2.0.9:80",
            "permit: no rule matches, but what this error is about matches rule 1 Branch, whose \
             tunnel it belongs to",
            "permit",
            Some(1),
            gold(),
        ),
        (
            "in icmp 192.0.2.1 > 10.1.1.1 type 3 code 1 about tcp 10.1.1.1:22 > 10.2.0.9:80",
            "deny, no rule matches",
            "deny",
            None,
            None,
        ),
        (
            "out icmp 10.1.1.1 > 10.2.0.9 type 3 code 3 about tcp 10.2.0.9:80 > 10.1.1.1:22",
            "send it through tunnel Gold: no rule matches, but what this error is about matches \
             rule 1 Branch, whose tunnel it belongs to",
            "protect",
            Some(1),
            gold(),
        ),
    ] {
        let said = ask(packet);
        assert_eq!(
            said,
            (decision.to_owned(), name.to_owned(), excused, tunnel),
            "{packet}"
        );
    }
    let packet = "in tcp 10.2.0.9:2000 > 10.1.1.1:22 through Silver";
    let mut command = command(&["policy", "explain", "--packet", packet, "-"]);
    let output = feed(&mut command, TUNNEL.as_bytes());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no rule names a tunnel `Silver`"));
}

#[test]
fn json_has_every_rule() {
    let policy = long(30);
    let packet = "out tcp 10.0.0.3 > 10.9.0.1 cut";
    let output = feed(
        &mut command(&["policy", "explain", "--json", "--packet", packet, "-"]),
        policy.as_bytes(),
    );
    let [object] = &lines(&output)[..] else {
        panic!("one line");
    };
    assert_eq!(object["type"], "explanation");
    assert_eq!(object["in_force"], "policy");
    assert_eq!(object["decision"], "deny");
    assert_eq!(object["discard"], "silent");
    assert!(object["rule"].is_null() && object["tunnel"].is_null());
    assert_eq!(object["packet"]["protocol"], 6);
    assert!(object["packet"]["source_port"].is_null());
    let tried = object["tried"].as_array().unwrap();
    assert_eq!(tried.len(), 31);
    assert_eq!(tried[0]["failed"]["condition"], "source");
    assert_eq!(tried[0]["failed"]["rule"], "10.0.0.0/32");
    assert_eq!(tried[0]["failed"]["packet"], "10.0.0.3");
    assert_eq!(tried[3]["failed"]["condition"], "protocol");
    assert_eq!(tried[3]["failed"]["rule"], "udp");
    assert_eq!(tried[3]["number"], 4);
    assert_eq!(tried[3]["matched"], false);
    // Every field of the page is there.
    let page = fs::read_to_string(docs("policy-json.md")).unwrap();
    let section = page.split("## `explanation`").nth(1).unwrap();
    for field in object.as_object().unwrap().keys() {
        assert!(section.contains(&format!("`{field}`")), "{field}");
    }
    for field in tried[3].as_object().unwrap().keys() {
        assert!(section.contains(&format!("`{field}`")), "{field}");
    }
}

fn docs(page: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/formats")
        .join(page)
}

#[test]
fn examples_of_the_page_are_packets() {
    let page = fs::read_to_string(docs("packet-text.md")).unwrap();
    let examples = page.split("```").nth(1).unwrap().lines().skip(1);
    let mut read = 0;
    for example in examples {
        assert!(example.parse::<PacketText>().is_ok(), "{example}");
        let output = explain(&["--packet", example, GOOD]);
        assert_eq!(output.status.code(), Some(0), "{example}");
        read += 1;
    }
    assert!(read >= 8);
}

#[test]
fn what_cannot_be_explained_has_an_exit_code() {
    let packet = ["--packet", "in ah 10.0.0.1 > 10.0.0.2"];
    let with = |rest: &[&str]| {
        let args: Vec<&str> = packet.iter().chain(rest).copied().collect();
        explain(&args)
    };
    assert_eq!(with(&[GOOD]).status.code(), Some(0));
    assert_eq!(
        with(&["tests/policies/mistakes.conf"]).status.code(),
        Some(1)
    );
    assert_eq!(with(&["no such file"]).status.code(), Some(2));
    assert_eq!(explain(&[GOOD]).status.code(), Some(2));
    let output = explain(&["--packet", "in tcp\u{1b}[2J", GOOD]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("at column 4: expected"),
        "{}",
        text(&output.stderr)
    );
    assert!(!output.stderr.contains(&0x1b));
}
