//! `hostward inspect --policy`: every packet of a capture decided by a policy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    reason = "a failing test may panic"
)]

mod common;

use std::path::Path;

use common::{capture, hostward, lines, run, temporary, text};
use serde_json::{Value, json};

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/policy.conf");
    path.to_str().unwrap().to_owned()
}

/// Verdict, rule and code of each packet, and the summary.
fn decided(args: &[&str]) -> (Vec<(String, Value, Value)>, Value) {
    let output = run(&[&["--json", "--decisions"], args].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let mut all = lines(&output);
    let summary = all.pop().unwrap();
    let decisions = all.iter().filter(|l| l["type"] == "decision");
    let decisions = decisions.map(|l| {
        let verdict = l["verdict"].as_str().unwrap().to_owned();
        (verdict, l["rule"].clone(), l["code"].clone())
    });
    (decisions.collect(), summary)
}

/// The rules of a summary that decided anything: name, line, action, packets, denied packets.
fn hit(summary: &Value) -> Vec<(Value, Value, u64, u64)> {
    let rules = summary["rules"].as_array().unwrap().iter();
    let hit = rules.filter(|r| r["packets"] != 0).map(|r| {
        let n = |key: &str| r[key].as_u64().unwrap();
        (
            r["name"].clone(),
            r["action"].clone(),
            n("packets"),
            n("denied_packets"),
        )
    });
    hit.collect()
}

#[test]
fn the_example_decides_each_packet_of_our_captures() {
    let policy = example();
    let all = |name: &str, verdict: &str, rule: Value, code: Value| {
        let (decisions, summary) = decided(&["--policy", &policy, &capture(name)]);
        assert!(decisions.len() > 10, "{name}");
        for (n, decision) in (1..).zip(&decisions) {
            let want = (verdict.to_owned(), rule.clone(), code.clone());
            assert_eq!(*decision, want, "{name} packet {n}");
        }
        let packets = decisions.len() as u64;
        assert_eq!(summary["packets"], packets);
        (summary, packets)
    };
    // HTTP in the clear is refused, with an answer.
    let (summary, n) = all("http", "reject", "NoClearText".into(), 2002.into());
    assert_eq!(hit(&summary), [("NoClearText".into(), "deny".into(), n, n)]);
    assert_eq!(summary["dropped"], json!({"2002": n}));
    assert_eq!(summary["flows"], 1, "nothing is hidden");
    // TLS and logins pass, over both versions of IP.
    for (name, rule) in [
        ("tls13", "Web"),
        ("tls13-ipv6", "Web"),
        ("ssh", "RemoteLogin"),
    ] {
        let (summary, n) = all(name, "continue", rule.into(), Value::Null);
        assert_eq!(hit(&summary), [(rule.into(), "permit".into(), n, 0)]);
        assert_eq!(summary["dropped"], json!({}));
    }
    // Of mail nobody said anything: the implied deny, which has no name.
    let (summary, n) = all("starttls-smtp", "drop", Value::Null, 2003.into());
    assert_eq!(hit(&summary), [(Value::Null, "deny".into(), n, n)]);
    // All rules are told, in order, with their places.
    let rules = summary["rules"].as_array().unwrap();
    let names: Vec<_> = rules.iter().filter_map(|r| r["name"].as_str()).collect();
    assert_eq!(
        names,
        [
            "NoClearText",
            "Web",
            "RemoteLogin",
            "Ping",
            "OwnConnections",
            "NeighbourDiscovery"
        ]
    );
    assert_eq!(rules.len(), 7);
    let text = std::fs::read_to_string(&policy).unwrap();
    for rule in &rules[..6] {
        assert_eq!(rule["file"], policy);
        let line = rule["line"].as_u64().unwrap() as usize;
        let want = format!("IpFilterRule {}", rule["name"].as_str().unwrap());
        assert_eq!(text.lines().nth(line - 1), Some(&*want));
    }
    assert_eq!(
        (&rules[1]["group"], &rules[6]["file"]),
        (&"Servers".into(), &Value::Null)
    );
}

#[test]
fn what_other_controls_refuse_first_is_not_counted_for_rules() {
    let (decisions, summary) = decided(&["--policy", &example(), &capture("malformed")]);
    let elsewhere = decisions
        .iter()
        .filter(|(_, _, code)| code.as_u64().is_some_and(|c| !(2000..3000).contains(&c)))
        .count();
    assert!(
        elsewhere >= 5,
        "packets 2 to 6 contradict themselves: {decisions:?}"
    );
    let counted: u64 = hit(&summary).iter().map(|(_, _, n, _)| n).sum();
    assert_eq!(counted, (decisions.len() - elsewhere) as u64);
}

#[test]
fn fragments_are_decided_as_what_they_are_parts_of() {
    let policy = temporary(
        "fragments.conf",
        b"IpFilterPolicy\n{\n  IpFilterRule Udp\n  {\n    IpService\n    {\n      Protocol Udp\n    }\n    \
          IpGenericFilterAction\n    {\n      IpFilterAction Permit\n    }\n  }\n}\n",
    );
    let (decisions, summary) =
        decided(&["--policy", policy.to_str().unwrap(), &capture("fragments")]);
    let consumed = decisions.iter().filter(|(v, _, _)| v == "consumed").count() as u64;
    assert!(consumed > 0);
    let whole = decisions.len() as u64 - consumed;
    assert_eq!(hit(&summary), [("Udp".into(), "permit".into(), whole, 0)]);
    let bytes = &summary["rules"][0]["bytes"];
    assert!(bytes.as_u64().unwrap() > whole * 4_000, "{bytes}");
}

#[test]
fn the_report_tells_what_each_rule_did() {
    let output = run(&[
        "--policy",
        &example(),
        &capture("http"),
        &capture("ssh"),
        &capture("starttls-smtp"),
    ]);
    let report = text(&output.stdout);
    let (_, section) = report.split_once("What the policy decided\n").unwrap();
    let row = |has: &str| -> Vec<&str> {
        let line = section.lines().find(|l| l.contains(has)).unwrap();
        line.split("  ")
            .map(str::trim)
            .filter(|c| !c.is_empty())
            .collect()
    };
    let denied = row("NoClearText");
    assert_eq!((denied[0], denied[2]), ("NoClearText", "deny"));
    assert_eq!(denied[3..], ["0", "0", "12", "947"]);
    let login = row("RemoteLogin");
    assert_eq!((login[1], login[3]), ("Servers", "permit"));
    assert_eq!(login[4..], ["86", "16220", "0", "0"]);
    assert_eq!(row("implied deny")[1..], ["deny", "0", "0", "20", "2667"]);
    assert!(
        section.contains(
            "Rules that decided no packet: Web, Ping, OwnConnections, NeighbourDiscovery\n"
        )
    );
    assert!(!text(&run(&[&capture("http")]).stdout).contains("What the policy decided"));
    assert_eq!(
        lines(&run(&["--json", &capture("http")])).pop().unwrap()["rules"],
        Value::Null
    );
}

#[test]
fn default_rules_decide_where_there_is_no_policy() {
    let profile = temporary(
        "default.profile",
        b"IPCONFIG IPSECURITY\nIPSEC LOGENABLE\n IPSECRULE * * LOG PROTOCOL TCP SRCPORT 8080\nENDIPSEC\n",
    );
    let profile = profile.to_str().unwrap();
    let (decisions, summary) = decided(&["--profile", profile, &capture("http"), &capture("ssh")]);
    let at = |n: usize| (decisions[n].0.as_str(), decisions[n].1.clone());
    assert_eq!(at(0), ("continue", "SYSDEFAULTRULE.1".into()));
    assert_eq!(at(12), ("drop", Value::Null));
    assert_eq!(
        hit(&summary),
        [
            ("SYSDEFAULTRULE.1".into(), "permit".into(), 12, 0),
            ("SYSDEFAULTDENYRULE".into(), "deny".into(), 86, 86)
        ]
    );
    // With a policy they do not.
    let (_, summary) = decided(&[
        "--profile",
        profile,
        "--policy",
        &example(),
        &capture("http"),
    ]);
    assert_eq!(hit(&summary)[0].0, "NoClearText");
    // A stack that has no policy has the default rules, or the implied deny alone.
    let image = temporary("no-policy.image", b"TTLSConfig\n");
    let image = image.to_str().unwrap();
    let (_, summary) = decided(&["--profile", profile, "--policy", image, &capture("http")]);
    assert_eq!(hit(&summary)[0].0, "SYSDEFAULTRULE.1");
    let (_, summary) = decided(&["--policy", image, &capture("http")]);
    assert_eq!(
        hit(&summary),
        [("SYSDEFAULTDENYRULE".into(), "deny".into(), 12, 12)]
    );
}

#[test]
fn errors_stop_and_warnings_do_not() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policies");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let http = capture("http");
    let output = run(&["--policy", &file("mistakes.conf"), &http]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let told = text(&output.stderr);
    assert!(
        told.contains("error[P0201]") && told.contains("did you mean `Mail`?"),
        "{told}"
    );
    let output = run(&["--policy", &file("mistakes/duplicate-name.conf"), &http]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("warning[P0203]"));
    for args in [
        &["--policy", "no such file", &http][..],
        &["--profile", "no such file", &http],
        &["--stack", "A", &http],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn whose_policy_it_is_is_told_where_that_was_a_choice() {
    let main = temporary(
        "two-stacks.conf",
        b"TcpImage ONE\nTcpImage TWO\nIpSecConfig set-of-stack.conf\n",
    );
    let rule =
        b"IpFilterPolicy\n{\n  IpFilterRule R\n  {\n    IpGenericFilterAction\n    {\n      \
        IpFilterAction Permit\n    }\n  }\n}\n";
    temporary("set-of-stack.conf", rule);
    let main = main.to_str().unwrap();
    let told = |args: &[&str]| {
        let output = run(&[&["--json", "--policy", main], args].concat());
        assert_eq!(lines(&output).pop().unwrap()["rules"][0]["name"], "R");
        text(&output.stderr)
    };
    let http = capture("http");
    assert!(told(&[&http]).contains("note[P0225]: the policy is that of stack `ONE`"));
    assert!(!told(&["--stack", "TWO", &http]).contains("note"));
}

#[test]
fn several_files_are_one_policy() {
    let rule = temporary(
        "set-rule.conf",
        b"IpFilterRule R\n{\n  IpGenericFilterActionRef A\n}\n",
    );
    let list = temporary(
        "set-list.conf",
        b"IpFilterPolicy\n{\n  IpFilterRuleRef R\n}\nIpGenericFilterAction A\n{\n  IpFilterAction Permit\n}\n",
    );
    let (rule, list) = (rule.to_str().unwrap(), list.to_str().unwrap());
    let (_, summary) = decided(&["--policy", rule, "--policy", list, &capture("http")]);
    assert_eq!(hit(&summary), [("R".into(), "permit".into(), 12, 0)]);
}

#[test]
fn what_passes_through_the_local_side_is_routed() {
    let policy = temporary(
        "routed.conf",
        b"IpFilterPolicy\n{\n  IpFilterRule Through\n  {\n    IpService\n    {\n      Protocol All\n      \
          Routing Routed\n    }\n    IpGenericFilterAction\n    {\n      IpFilterAction Permit\n    }\n  }\n}\n",
    );
    let policy = policy.to_str().unwrap();
    for (local, count) in [("192.0.2.1", 12), ("10.77.0.2", 0), ("10.77.0.1", 0)] {
        let (_, summary) = decided(&["--local", local, "--policy", policy, &capture("http")]);
        assert_eq!(summary["rules"][0]["packets"], count, "{local}");
    }
}

#[test]
fn local_time_is_that_of_the_system() {
    let policy = |zone: &str| {
        let text = format!(
            "IpFilterPolicy\n{{\n  IpFilterRule Hour\n  {{\n    IpTimeCondition\n    {{\n      \
             TimeOfDayRange 22:00-23:00\n      TimeZone {zone}\n    }}\n    IpGenericFilterAction\n    {{\n      \
             IpFilterAction Permit\n    }}\n  }}\n}}\n"
        );
        let path = temporary(&format!("hour-{zone}.conf"), text.as_bytes());
        path.to_str().unwrap().to_owned()
    };
    // The packets of this capture were made at 2023-11-14 22:13:20 UTC.
    let count = |zone: &str, tz: &str| {
        let output = hostward(&["--json", "--policy", &policy(zone), &capture("malformed")])
            .env("TZ", tz)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let summary = lines(&output).pop().unwrap();
        summary["rules"][0]["packets"].as_u64().unwrap()
    };
    assert!(count("Local", "UTC0") > 0);
    assert_eq!(
        count("Local", "XYZ-1"),
        0,
        "an hour east of it is 23:13 there"
    );
    assert!(count("UTC", "XYZ-1") > 0);
}
