//! `hostward policy` as an administrator runs it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    reason = "a failing test may panic"
)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::{command, feed, lines, text};
use serde_json::Value;

const GOOD: &str = "tests/policies/good.conf";
const UNTIDY: &str = "tests/policies/untidy.conf";
const MISTAKES: &str = "tests/policies/mistakes.conf";
const DUPLICATE: &str = "tests/policies/mistakes/duplicate-name.conf";

/// `hostward policy` with these arguments, in the folder of this crate.
fn policy(args: &[&str]) -> Output {
    let mut command = command(&["policy"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(args).output().unwrap()
}

fn code(args: &[&str]) -> Option<i32> {
    policy(args).status.code()
}

/// A folder of a test's own with these files.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn good() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(GOOD)).unwrap()
}

const PROFILE: &str = "IPCONFIG IPSECURITY
IPSEC LOGENABLE
  IPSECRULE * * LOG PROTOCOL TCP SRCPORT 2222
ENDIPSEC
";

#[test]
fn exit_codes_tell_what_came_of_it() {
    for (args, want) in [
        (&["check", GOOD][..], 0),
        (&["check", "--strict", GOOD], 0),
        (&["check", DUPLICATE], 0),
        (&["check", "--strict", DUPLICATE], 1),
        (&["check", "--strict", "--json", DUPLICATE], 1),
        (&["check", MISTAKES], 1),
        (&["check", "--json", MISTAKES], 1),
        (&["check", "no such file"], 2),
        (&["check", GOOD, "//'A.B'"], 2),
        (&["check", "--profile", "no such file", GOOD], 2),
        (&["check", "."], 2),
        (&["check"], 2),
        (&["check", "--wrong", GOOD], 2),
        (&["check", "--stack", "X", GOOD], 0),
        (&["show", GOOD], 0),
        (&["show", MISTAKES], 1),
        (&["show", "no such file"], 2),
        (&["format", GOOD], 0),
        (&["format", "--check", GOOD], 0),
        (&["format", "--check", UNTIDY], 1),
        (&["format", "no such file", UNTIDY], 2),
        (&["format", "--check", "--write", GOOD], 2),
        (&["format", "--write", "-"], 2),
        (&[], 2),
        (&["check", "--help"], 0),
    ] {
        assert_eq!(code(args), Some(want), "{args:?}");
    }
    let output = policy(&["check", "no such file"]);
    assert_eq!(
        text(&output.stderr),
        "error: no such file: there is no such file\n"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn the_summary_counts_and_says_what_it_means() {
    let last = |args: &[&str]| {
        text(&policy(args).stdout)
            .lines()
            .last()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        last(&["check", GOOD]),
        "0 errors, 0 warnings; 1 rule, 2 simple filters"
    );
    assert_eq!(
        last(&["check", MISTAKES]),
        "3 errors, 0 warnings; it cannot be installed"
    );
    assert_eq!(
        last(&["check", "--strict", DUPLICATE]),
        "0 errors, 1 warning; 1 rule, 2 simple filters; warnings count as errors (--strict)"
    );
    let files = folder(
        "summary",
        &[("profile", PROFILE), ("a.image", "TTLSConfig\n")],
    );
    let file = |name: &str| files.join(name).to_str().unwrap().to_owned();
    assert_eq!(
        last(&["check", "--profile", &file("profile"), &file("a.image")]),
        "0 errors, 0 warnings, 2 notes; no policy: the default rules stay in force; 3 default rules"
    );
    let output = policy(&["check", MISTAKES]);
    assert!(output.stderr.is_empty());
    assert!(
        !text(&output.stdout).contains('\u{1b}'),
        "no colours but at a terminal"
    );
}

#[test]
fn standard_input_is_a_file() {
    let output = feed(&mut command(&["policy", "check", "-"]), good().as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let output = feed(
        &mut command(&["policy", "check", "--json", "-"]),
        b"IpFilterRule\n",
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&output)[0]["file"], "-");
    let output = feed(
        &mut command(&["policy", "format", "-"]),
        b"IpFilterRule r {\n}\n",
    );
    assert_eq!(text(&output.stdout), "IpFilterRule r\n{\n}\n");
}

/// The fields of the tables of the document, by heading or by the paragraph before.
fn documented(title: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/formats/policy-json.md");
    let document = fs::read_to_string(path).unwrap();
    let (_, rest) = document.split_once(title).unwrap();
    let rows = rest.lines().skip_while(|l| !l.starts_with("| `"));
    rows.take_while(|l| l.starts_with("| `"))
        .map(|l| l.split('`').nth(1).unwrap().to_owned())
        .collect()
}

/// The keys of an object as they stand in the text, which has each once on this level.
fn keys(line: &str, names: &[String]) -> Vec<String> {
    let mut found: Vec<(usize, &String)> = names
        .iter()
        .filter_map(|n| Some((line.find(&format!("\"{n}\":"))?, n)))
        .collect();
    found.sort();
    found.into_iter().map(|(_, n)| n.clone()).collect()
}

fn names(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn json_messages_are_as_documented() {
    let output = policy(&["check", "--json", MISTAKES, DUPLICATE]);
    let fields = documented("\n## `diagnostic`");
    let summary = documented("\n## `summary`");
    let stdout = text(&output.stdout);
    let all = lines(&output);
    let (last, messages) = all.split_last().unwrap();
    assert!(messages.len() >= 4, "{stdout}");
    for (line, message) in stdout.lines().zip(messages) {
        assert_eq!(names(message), fields.iter().cloned().collect(), "{line}");
        assert_eq!(message["type"], "diagnostic");
        assert!(message["code"].as_str().unwrap().starts_with('P'));
        let (at, end) = (&message["column"], &message["end"]["column"]);
        assert!(message["end"]["line"] != message["line"] || at.as_u64() < end.as_u64());
        for other in message["secondary"].as_array().unwrap() {
            assert_eq!(names(other).len(), 5, "{line}");
        }
        // Fields of messages recur in `secondary`, but the first ones are the message's own.
        assert_eq!(keys(line, &fields)[..5], fields[..5]);
    }
    assert_eq!(keys(stdout.lines().last().unwrap(), &summary), summary);
    assert_eq!(names(last), summary.iter().cloned().collect());
    assert_eq!(last["rules"], Value::Null);
    let unresolved = &messages[0];
    assert_eq!(
        (
            &unresolved["line"],
            &unresolved["column"],
            &unresolved["end"]["column"]
        ),
        (&4.into(), &19.into(), &23.into())
    );
    assert_eq!(unresolved["name"], "unresolved");
    assert_eq!(unresolved["help"], "did you mean `Mail`?");
    assert_eq!(unresolved["secondary"][0]["line"], 21);
    let steps: BTreeSet<_> = messages
        .iter()
        .map(|m| m["step"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["reference", "syntax"].into());
    let shadowed = policy(&[
        "check",
        "--json",
        "tests/policies/mistakes/shadowed-rule.conf",
    ]);
    assert_eq!(lines(&shadowed)[0]["step"], "meaning");
    let good = lines(&policy(&["check", "--json", GOOD]));
    assert_eq!(
        (good.len(), &good[0]["rules"], &good[0]["simple_filters"]),
        (1, &1.into(), &2.into())
    );
}

#[test]
fn the_main_file_leads_to_the_policy_of_a_stack() {
    let good = good();
    let files = folder(
        "hierarchy",
        &[
            (
                "pagent.conf",
                "CommonIpSecConfig p/common.pol\nTcpImage ONE one.image\nTcpImage TWO p/two.image\n",
            ),
            ("one.image", "IpSecConfig ./p/own.pol\n"),
            ("p/two.image", "IpSecConfig\n"),
            ("p/common.pol", &good),
            ("p/own.pol", &good.replace("Web", "Own")),
        ],
    );
    let main = files.join("pagent.conf");
    let main = main.to_str().unwrap();
    let shown = |args: &[&str]| -> Value {
        let output = policy(&[&["show", "--json", main], args].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let one = shown(&[]);
    assert_eq!(one["stack"], "ONE");
    assert_eq!(one["policy"]["rules"][0]["name"], "Own");
    let file = one["policy"]["rules"][0]["file"].as_str().unwrap();
    assert_eq!(Path::new(file), files.join("p/own.pol"));
    let two = shown(&["--stack", "TWO"]);
    assert_eq!(
        (&two["stack"], &two["policy"]["rules"][0]["name"]),
        (&"TWO".into(), &"Web".into())
    );

    // Which one it is, is told.
    let told = text(&policy(&["check", main]).stdout);
    assert!(
        told.contains("note[P0225]: the policy is that of stack `ONE`"),
        "{told}"
    );
    assert_eq!(code(&["check", main, "--stack", "THREE"]), Some(1));
    // What a file names and cannot be read is an error of the policy.
    fs::remove_file(files.join("p/own.pol")).unwrap();
    let output = policy(&["check", main]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    assert!(
        told.contains("error[P0221]") && told.contains("one.image:1:13"),
        "{told}"
    );
}

#[test]
fn conditions_that_are_over_are_found() {
    let over = good().replace(
        "  IpGenericFilterAction",
        "  IpTimeCondition\n  {\n    ConditionTimeRange 20200101000000:20200102000000\n  }\n  IpGenericFilterAction",
    );
    let files = folder("over", &[("over.conf", &over)]);
    let file = files.join("over.conf");
    let file = file.to_str().unwrap();
    let found = lines(&policy(&["check", "--json", file]));
    assert_eq!(found[0]["name"], "never-matches");
    assert_eq!(found[0]["label"], "its time is over");
    assert_eq!(code(&["check", "--strict", file]), Some(1));
}

#[test]
fn rules_are_shown_with_all_they_say() {
    let example = "../examples/policy.conf";
    let files = folder("show", &[("profile", PROFILE)]);
    let profile = files.join("profile");
    let profile = profile.to_str().unwrap();
    let output = policy(&["show", "--expand", "--profile", profile, example]);
    assert!(output.stderr.is_empty());
    let shown = text(&output.stdout);
    for piece in [
        "IP filter policy: 6 rules, the first that matches decides\n",
        "   1  NoClearText  ../examples/policy.conf:",
        "      deny, logged, the sender is told (ICMP)\n",
        "   3  RemoteLogin  (group Servers)  ../examples/policy.conf:",
        "      to   10.77.0.0/24, 192.0.2.10-192.0.2.20 (group OurNetworks)\n",
        "      for  tcp port 2222 to port 1024-65535, bidirectional, connections opened inbound, local traffic\n",
        "      .1  All to 10.77.0.0/24, tcp port 2222 to port 1024-65535, outbound, local, opens no connection\n",
        "      .2  10.77.0.0/24 to All, tcp port 1024-65535 to port 2222, inbound, local\n",
        "      when Mon Tue Wed Thu Fri, 07:00-19:00 (local time)\n",
        "      everything else is denied\n",
        ", in force while there is no policy\n",
        "SYSDEFAULTRULE.1",
        "SYSDEFAULTNDRULE",
    ] {
        assert!(shown.contains(piece), "{piece}\n{shown}");
    }
    let output = policy(&["show", "--json", "--expand", "--profile", profile, example]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let fields = |title| documented(title).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(names(&shown), fields("\n## `policy`"));
    assert_eq!(shown["in_force"], "policy");
    assert_eq!(shown["defaults"]["settings"]["logging"], true);
    for set in [&shown["policy"], &shown["defaults"]] {
        assert_eq!(names(set), fields("\nA set of rules:"));
        for rule in set["rules"].as_array().unwrap() {
            assert_eq!(names(rule), fields("\nA rule:"));
            let filters = rule["filters"].as_array().unwrap();
            assert_eq!(rule["simple_filters"], filters.len());
            assert!(filters.iter().zip(1..).all(|(f, n)| f["extension"] == n));
        }
    }
    let login = &shown["policy"]["rules"][2];
    assert_eq!(login["destination_group"], "OurNetworks");
    assert_eq!(
        login["filters"][1]["destination_ports"],
        serde_json::json!([2222, 2222])
    );
    assert_eq!(
        login["filters"][1]["directions"],
        serde_json::json!(["inbound"])
    );
    assert_eq!(login["filters"][0]["opens_connections"], false);

    // A rule with a tunnel tells which.
    let tunnel = good()
        .replace(
            "IpFilterAction Permit",
            "IpFilterAction IpSec\n    IpFilterLogging LogDeny",
        )
        .replace("  IpService\n", "  IpDynVpnActionRef Gold\n  IpService\n")
        + "IpDynVpnAction Gold\n{\n  IpDataOffer\n  {\n    HowToEncap Tunnel\n    HowToEncrypt AES_GCM_16 KeyLength 256\n    HowToAuth ESP Null\n  }\n}\n";
    let file = folder("tunnel", &[("tunnel.conf", &tunnel)]).join("tunnel.conf");
    let output = policy(&["show", file.to_str().unwrap()]);
    let shown = text(&output.stdout);
    assert!(
        shown.contains("      ipsec through dynamic tunnel Gold, logged when denied\n"),
        "{shown}{}",
        text(&output.stderr)
    );
    let output = policy(&["show", "--json", file.to_str().unwrap()]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rule = &shown["policy"]["rules"][0];
    assert_eq!(
        rule["tunnel"],
        serde_json::json!({"name": "Gold", "kind": "dynamic", "local_start": null})
    );
    assert_eq!(
        (&rule["action"], &rule["logging"]),
        (&"ipsec".into(), &"deny".into())
    );

    // Without policy the default rules are in force.
    let image = folder("no-policy", &[("a.image", "TTLSConfig\n")]).join("a.image");
    let output = policy(&["show", "--profile", profile, image.to_str().unwrap()]);
    let shown = text(&output.stdout);
    assert!(
        shown.starts_with(
            "No IP filter policy: the default rules are in force\n\nDefault rules of "
        ),
        "{shown}"
    );
    // Nothing of a policy with errors.
    let output = policy(&["show", MISTAKES]);
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).contains("error[P0201]"));
}

#[test]
fn files_are_laid_out_where_they_stand() {
    let untidy = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(UNTIDY)).unwrap();
    let tidy = text(&policy(&["format", UNTIDY]).stdout);
    assert_ne!(untidy, tidy);
    let files = folder(
        "format",
        &[
            ("a.conf", &untidy),
            ("b.conf", &tidy),
            ("broken.conf", "IpFilterRule r\n{\n"),
        ],
    );
    fs::write(files.join("bytes.conf"), b"# \xff\n   # x\n").unwrap();
    let path = |name: &str| files.join(name).to_str().unwrap().to_owned();
    let (a, b) = (path("a.conf"), path("b.conf"));
    let output = policy(&["format", "--check", &a, &b]);
    assert_eq!(text(&output.stdout), format!("{a}\n"));
    assert_eq!(fs::read_to_string(&a).unwrap(), untidy, "it only looked");
    assert_eq!(code(&["format", "--write", &a, &b]), Some(0));
    assert_eq!(fs::read_to_string(&a).unwrap(), tidy);
    assert_eq!(code(&["format", "--check", &a, &b]), Some(0));
    // What cannot be laid out without a loss is left alone, and the others are done.
    fs::write(&a, &untidy).unwrap();
    let (broken, bytes) = (path("broken.conf"), path("bytes.conf"));
    let output = policy(&["format", "--write", &broken, &bytes, &a]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr).lines().count(), 2);
    assert_eq!(fs::read_to_string(&broken).unwrap(), "IpFilterRule r\n{\n");
    assert_eq!(fs::read(&bytes).unwrap(), b"# \xff\n   # x\n");
    assert_eq!(fs::read_to_string(&a).unwrap(), tidy);
    // Lines that cannot be read stay.
    let wrong = path("wrong.conf");
    fs::write(&wrong, "IpFilterRule r\n{\n what is  this\n}\n").unwrap();
    assert_eq!(code(&["format", "--write", &wrong]), Some(0));
    assert!(fs::read_to_string(&wrong).unwrap().contains("what is"));
    // Nothing else is left in the folder.
    assert_eq!(fs::read_dir(&files).unwrap().count(), 5);
}

#[cfg(unix)]
#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    let files = folder("permissions", &[("real.conf", "IpFilterRule r {\n}\n")]);
    let (real, link) = (files.join("real.conf"), files.join("link.conf"));
    symlink("real.conf", &link).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&real).unwrap();
    assert_eq!(
        code(&["format", "--write", link.to_str().unwrap()]),
        Some(0)
    );
    let after = fs::metadata(&real).unwrap();
    assert_eq!(fs::read_to_string(&real).unwrap(), "IpFilterRule r\n{\n}\n");
    assert_eq!(
        (after.mode(), after.uid(), after.gid()),
        (before.mode(), before.uid(), before.gid())
    );
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    // What is laid out already is not written.
    assert_eq!(
        code(&["format", "--write", real.to_str().unwrap()]),
        Some(0)
    );
    assert_eq!(fs::metadata(&real).unwrap().ino(), after.ino());
    // What is write-protected stays as it is.
    fs::write(&real, "IpFilterRule r {\n}\n").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o440)).unwrap();
    let output = policy(&["format", "--write", real.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("it is write-protected"));
    assert_eq!(fs::read_to_string(&real).unwrap(), "IpFilterRule r {\n}\n");
}

#[test]
fn zert_rules_are_checked_shown_and_tried() {
    let weak = "../examples/zert-weak.conf";
    assert_eq!(code(&["check", "--strict", weak]), Some(0));
    let checked = String::from_utf8(policy(&["check", weak]).stdout).unwrap();
    assert_eq!(checked, "0 errors, 0 warnings; 7 zERT rules\n");
    let shown = String::from_utf8(policy(&["show", weak]).stdout).unwrap();
    for piece in [
        "zERT policy: 7 rules, the first that matches decides\n",
        "   2  BelowTls12  ../examples/zert-weak.conf:11  priority 500\n",
        "      TLS with TlsVersion SSLv2-TLSv1.1\n      Tell: syslog, audit\n",
        "      everything else is permitted\n",
    ] {
        assert!(shown.contains(piece), "{piece}\n{shown}");
    }
    assert!(!shown.contains("IP filter"), "{shown}");
    let json = policy(&["show", "--json", weak]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["policy"], Value::Null);
    assert_eq!(json["zert"].as_array().unwrap().len(), 7);
    assert_eq!(json["zert"][0]["protection"], "no protection");
    // With filter rules beside them both are there.
    let both = lines(&policy(&["check", "--json", GOOD, weak]));
    let summary = both.last().unwrap();
    assert_eq!(
        (&summary["rules"], &summary["zert_rules"]),
        (&1.into(), &7.into())
    );
}

#[test]
fn tunnels_are_checked_and_shown() {
    let file = "../examples/manual-tunnel.conf";
    assert_eq!(code(&["check", "--strict", file]), Some(0));
    let shown = String::from_utf8(policy(&["show", file]).stdout).unwrap();
    let tunnel = "   M1  Branch  ../examples/manual-tunnel.conf:36\n      manual, active from the start\n      \
                  tunnel mode from 192.0.2.1 to 192.0.2.2\n      AES_CBC KeyLength 128, ESP HMAC_SHA2_256_128\n      \
                  SPI 1001 in, 1002 out\n      for rules ToBranch\n";
    let tunnel = tunnel.get(1..).unwrap();
    assert!(shown.contains(tunnel), "{shown}");
    let json: Value = serde_json::from_slice(&policy(&["show", "--json", file]).stdout).unwrap();
    let told = &json["tunnels"][0];
    assert_eq!(
        (&told["id"], &told["inbound_spi"]),
        (&"M1".into(), &1001.into())
    );
    let ipsec = |args: &[&str]| {
        let mut command = command(&["ipsec", "show"]);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.args(args).output().unwrap()
    };
    let text = String::from_utf8(ipsec(&["--policy", file]).stdout).unwrap();
    assert!(
        text.starts_with("1 tunnel\n\n") && text.contains(tunnel),
        "{text}"
    );
    let lines = lines(&ipsec(&["--policy", file, "--json"]));
    assert_eq!(
        (&lines[0]["type"], &lines[0]["name"]),
        (&"tunnel".into(), &"Branch".into())
    );
    // No key is ever shown.
    for secret in ["ccddee", "0c0d0e"] {
        assert!(!shown.contains(secret) && !text.contains(secret));
    }
    assert_eq!(ipsec(&["--policy", "nowhere.conf"]).status.code(), Some(2));
}
