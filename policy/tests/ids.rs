//! IDS rules: from text to the model, what is told about policies that mean nothing, and the mistakes made most often.
//! `UPDATE_SNAPSHOTS=1` writes `snapshots/ids/`.
#![cfg(feature = "ids")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use std::path::Path;

use hostward_filter::FixedOffset;
use hostward_hook::time::UnixTime;
use hostward_ids::policy::*;
use hostward_policy::ids::{IdsPolicy, compile};
use hostward_policy::{Diagnostics, Language, Policy as Text, Sources, Style, render_all};

const GOOD: &str = "\
IDSRule Scan-global
{
  ConditionType ScanGlobal
  Priority 2
  IDSScanGlobalCondition
  {
    FSInterval 2
    FSThreshold 6
    SSInterval 480
    SSThreshold 12
  }
  IDSActionRef act-scan
}
IDSRule Scan-low-tcp
{
  ConditionType ScanEvent
  IDSScanEventCondition
  {
    Protocol Tcp
    LocalPortRange 1:1023
    Sensitivity Low
    IDSScanExclusion
    {
      ExcludedAddrPort 192.0.2.10 53
      ExcludedAddrPort 2001:db8:5::/48
      ExcludedAddrPort 20
    }
  }
  IDSActionRef act-count
}
IDSRule Atk-options
{
  ConditionType Attack
  Priority 5
  IDSAttackCondition
  {
    AttackType RESTRICTED_IP_OPTIONS
    RestrictedIpOptionRange 131
    RestrictedIpOptionRange 137
    RestrictedIpOptionRange 7-8
  }
  IDSActionRef act-drop
  IpTimeCondition
  {
    TimeOfDayRange 08:00-17:00
    TimeZone UTC
  }
}
IDSRule Atk-queue
{
  ConditionType Attack
  IDSAttackCondition
  {
    AttackType TCP_QUEUE_SIZE
    TCPQueueSize SHORT
    IDSExclusion
    {
      ExcludedAddrPort 10.0.0.0/8
      LocalPortRange 25
    }
  }
  IDSActionRef act-reset
}
IDSRule Tr-web
{
  ConditionType TR
  Priority 7
  IDSTRConditionRef tr-web
  IDSActionRef act-limit
}
IDSTRCondition tr-web
{
  Protocol Tcp
  LocalPortGroupRef web-ports
  LocalHostAddr 198.51.100.0/24
  TRtcpTotalConnections 100
  TRtcpPercentage 20
  TRtcpLimitScope PORT
}
PortGroup web-ports
{
  PortRange
  {
    Port 80
    Port 443
  }
}
IDSAction act-scan
{
  ActionType ScanGlobal
  IDSReportSetRef rep
}
IDSAction act-count
{
  ActionType ScanEvent count
  IDSReportSetRef rep
}
IDSAction act-drop
{
  ActionType Attack discard
  IDSReportSetRef rep
}
IDSAction act-reset
{
  ActionType Attack resetconn
}
IDSAction act-limit
{
  ActionType TR limit
  IDSReportSetRef rep
  DefensiveFilterLifetime 30
}
IDSReportSet rep
{
  TypeActions CONSOLE
  MaxEventMessage 9
  TypeActions LOG
  LogDetail Yes
  LoggingLevel 3
  TypeActions STATISTICS
  StatType Exception
  StatInterval 15
  TypeActions TRACE
  TraceData RECORDSIZE
  TraceRecordSize 200
}
";

fn read(text: &str) -> (Option<IdsPolicy>, usize, String) {
    let language = Language::full().unwrap();
    let mut sources = Sources::new();
    sources.add("ids.conf", text.as_bytes()).unwrap();
    let mut out = Diagnostics::default();
    let policy = Text::read(&language, &sources, &mut out);
    let made = compile(&policy, &mut out);
    out.sort();
    let told = render_all(&out, &sources, Style::Plain);
    (made, out.iter().count(), told)
}

fn good(text: &str) -> IdsPolicy {
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
    let p = &made.policy;
    p.check().unwrap();
    let scan = p.scan.as_ref().unwrap();
    assert_eq!((scan.fast_minutes, scan.fast_threshold), (2, 6));
    assert_eq!((scan.slow_minutes, scan.slow_threshold), (480, 12));
    let reports = ReportSet {
        console: Some(9),
        log: Some(3),
        detail: true,
        statistics: Some(Statistics {
            kind: StatisticsKind::Exception,
            minutes: 15,
        }),
        trace: Some(Trace::Bytes(200)),
    };
    assert_eq!(scan.rule.reports, reports);
    assert_eq!(
        (&*scan.rule.name, &*scan.rule.action),
        ("Scan-global", "act-scan")
    );
    let event = &p.scan_events[0];
    assert_eq!(
        (event.protocol, event.sensitivity),
        (Protocol::Tcp, Sensitivity::Low)
    );
    assert_eq!(event.ports, [1..=1023]);
    let excluded = |a: &str, port| event.excludes(a.parse().unwrap(), port);
    assert!(excluded("192.0.2.10", 53) && !excluded("192.0.2.10", 54));
    assert!(excluded("2001:db8:5::9", 7) && !excluded("2001:db8:6::9", 7));
    assert!(excluded("203.0.113.1", 20));
    let options = p.attack(AttackType::RestrictedIpOptions).unwrap();
    let set: NumberSet = [7, 8, 131, 137].into_iter().collect();
    assert_eq!(options.attack, Attack::RestrictedIpOptions(set));
    assert!(options.respond && options.rule.priority == 5);
    let queue = p.attack(AttackType::TcpQueueSize).unwrap();
    assert_eq!(queue.attack, Attack::TcpQueueSize(QueueSize::Short));
    assert!(queue.respond && queue.rule.reports == ReportSet::default());
    assert_eq!(queue.exclusions[0].local_ports, 25..=25);
    let tr = &p.tcp[0];
    assert_eq!(
        (tr.total, tr.percentage, tr.scope, tr.limit),
        (100, 20, Scope::Port, true)
    );
    assert_eq!(tr.ports, [80..=80, 443..=443]);
    assert_eq!(tr.defense.unwrap().lifetime.as_secs(), 1800);
    let local = "198.51.100.7".parse().unwrap();
    assert!(p.tcp_port(local, 443).is_some() && p.tcp_port(local, 81).is_none());
    assert_eq!(made.places.len(), 5);
}

#[test]
fn outside_of_its_time_a_rule_does_not_exist() {
    let made = good(GOOD);
    let at = |hour: u64| made.at(UnixTime::from_secs(hour * 3600), &FixedOffset(0));
    assert!(at(9).attack(AttackType::RestrictedIpOptions).is_some());
    assert!(at(18).attack(AttackType::RestrictedIpOptions).is_none());
    assert_eq!(at(18).attacks.len(), 1);
    assert!(at(18).scan.is_some());
}

#[test]
fn every_type_of_attack_can_be_written() {
    let lists = [
        ("OUTBOUND_RAW", "ProtocolRange 103"),
        ("RESTRICTED_IP_OPTIONS", "RestrictedIpOptionRange 7"),
        ("RESTRICTED_IP_PROTOCOL", "ProtocolRange 0-255"),
        ("FLOOD", "IfcFloodPercentage 20\n    IfcFloodMinDiscard 5"),
        (
            "PERPETUAL_ECHO",
            "LocalPortRange 7\n    RemotePortRange 7 19",
        ),
        ("DATA_HIDING", "OptionPadChk Disable"),
        ("TCP_QUEUE_SIZE", "TCPQueueSize LONG"),
        ("OUTBOUND_RAW_IPV6", "IPv6NextHdrRange 0"),
        ("RESTRICTED_IPV6_NEXT_HDR", "IPv6NextHdrRange 43"),
        (
            "RESTRICTED_IPV6_DST_OPTIONS",
            "RestrictedIpv6OptionRange 30",
        ),
        ("RESTRICTED_IPV6_HOP_OPTIONS", "RestrictedIpv6OptionRange 5"),
        ("IP_FRAGMENT", "FragmentEarlyChk Enable"),
        ("EE_XID_FLOOD", "EEXIDTimeout 9"),
    ];
    for kind in AttackType::ALL {
        let own = lists.iter().find(|(n, _)| *n == kind.name());
        let list = own.map_or("", |(_, l)| l);
        let text = format!(
            "IDSRule r\n{{\n  ConditionType Attack\n  IDSAttackCondition\n  {{\n    AttackType {}\n    {list}\n  }}\n  \
             IDSAction a\n  {{\n    ActionType Attack\n  }}\n}}\n",
            kind.name()
        );
        let made = good(&text);
        assert_eq!(made.policy.attacks[0].attack.kind(), *kind);
        assert!(!made.policy.attacks[0].respond);
        made.policy.check().unwrap();
    }
}

#[test]
fn what_means_nothing_is_told() {
    let with = |from: &str, to: &str| {
        assert_eq!(GOOD.matches(from).count(), 1, "{from}");
        codes(&GOOD.replace(from, to))
    };
    assert_eq!(
        with("  IDSActionRef act-limit", "  IDSActionRef act-drop"),
        ["P0701"]
    );
    assert_eq!(
        with("  ConditionType TR\n", "  ConditionType Attack\n"),
        ["P0702", "P0702"]
    );
    let list = "    RestrictedIpOptionRange 131\n    RestrictedIpOptionRange 137\n    RestrictedIpOptionRange 7-8\n";
    assert_eq!(with(list, ""), ["P0703"]);
    assert_eq!(
        with("    TCPQueueSize SHORT", "    IfcFloodPercentage 9"),
        ["P0704"]
    );
    assert_eq!(with("Attack resetconn", "Attack discard"), ["P0705"]);
    let second = GOOD
        .split_once("IDSRule Scan-low-tcp")
        .unwrap()
        .0
        .replace("Scan-global", "Another");
    assert_eq!(codes(&(GOOD.to_owned() + &second)), ["P0706"]);
    assert_eq!(with("SSInterval 480", "SSInterval 2"), ["P0707"]);
    assert!(codes(&GOOD.replace("SSInterval 480", "SSInterval 0")).is_empty());
    assert_eq!(
        with(
            "    Protocol Tcp\n    LocalPortRange",
            "    Protocol Icmp\n    LocalPortRange"
        ),
        ["P0708"]
    );
    assert_eq!(
        with("  TRtcpPercentage 20", "  TRudpQueueSize SHORT"),
        ["P0709"]
    );
    let (head, rest) = GOOD.split_once("IDSRule Scan-low-tcp").unwrap();
    let rest = rest.split_once("IDSRule Atk-options").unwrap().1;
    let alone = format!("{head}IDSRule Atk-options{rest}");
    assert!(codes(&alone).contains(&"P0721".to_owned()));
    let again = "IDSRule Again\n{\n  ConditionType Attack\n  IDSAttackCondition\n  {\n    AttackType TCP_QUEUE_SIZE\n  }\n  IDSActionRef act-reset\n}\n";
    assert_eq!(codes(&(GOOD.to_owned() + again)), ["P0722"]);
    assert_eq!(with("  TypeActions CONSOLE\n", ""), ["P0723"]);
    let malformed = "IDSRule M\n{\n  ConditionType Attack\n  IDSAttackCondition\n  {\n    AttackType MALFORMED_PACKET\n  }\n  \
                     IDSAction\n  {\n    ActionType Attack nodiscard\n  }\n}\n";
    assert_eq!(codes(&(GOOD.to_owned() + malformed)), ["P0724"]);
}

#[test]
fn a_policy_with_an_error_gives_no_rules() {
    for (from, to) in [
        ("FSInterval 2", "FSInterval 0"),
        ("FSInterval 2", "FSInterval 1441"),
        ("IDSActionRef act-scan", "IDSActionRef nowhere"),
        ("LocalPortRange 1:1023", "LocalPortRange 1:5-9"),
        (
            "IDSRule Tr-web",
            "IDSRule x123456789012345678901234567890123",
        ),
        ("AttackType TCP_QUEUE_SIZE", "AttackType TCP_QUEUE"),
    ] {
        let (made, count, told) = read(&GOOD.replace(from, to));
        assert!(made.is_none() && count > 0, "{to}: {told}");
    }
    assert!(good("").policy == Policy::none());
}

#[test]
fn hostile_groups_stay_small() {
    let mut text = String::from("PortGroup big\n{\n  PortRange\n  {\n");
    for port in 1..=3000 {
        text += &format!("    Port {port}\n");
    }
    text += "  }\n}\nIDSAction a\n{\n  ActionType TR\n}\n";
    for rule in 0..400 {
        text += &format!(
            "IDSRule r{rule}\n{{\n  ConditionType TR\n  IDSTRCondition\n  {{\n    Protocol Tcp\n    \
             LocalPortGroupRef big\n  }}\n  IDSActionRef a\n}}\n"
        );
    }
    assert_eq!(codes(&text), ["P0710"]);
}

#[test]
fn the_example_is_the_standard_policy() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/ids.conf");
    let text = std::fs::read_to_string(file).unwrap();
    let mut made = good(&text).policy;
    for rule in &mut made.attacks {
        rule.rule.action = rule.rule.name.clone();
    }
    for rule in &mut made.scan_events {
        rule.rule.action = rule.rule.name.clone();
    }
    let scan = made.scan.as_mut().unwrap();
    scan.rule.action = scan.rule.name.clone();
    assert_eq!(made, Policy::standard());
    let language = Language::full().unwrap();
    let mut sources = Sources::new();
    let id = sources.add("x", text.as_bytes()).unwrap();
    let laid_out = hostward_policy::format(&language, &sources, id).unwrap();
    assert_eq!(laid_out, text, "it is laid out in the canonical way");
}

/// One piece of the good policy, and what stands in its place.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "misspelt-attack",
        "RESTRICTED_IP_OPTIONS",
        "RESTRICTED_IP_OPTION",
    ),
    ("misspelt-parameter", "TRtcpPercentage", "TRTcpPercent"),
    (
        "wrong-action-type",
        "ActionType ScanGlobal",
        "ActionType TR",
    ),
    ("discard-of-queue", "Attack resetconn", "Attack discard"),
    ("interval-of-zero", "FSInterval 2", "FSInterval 0"),
    ("slow-not-slower", "SSThreshold 12", "SSThreshold 6"),
    ("mixed-delimiters", "1:1023", "1:5-1023"),
    (
        "unknown-condition",
        "IDSTRConditionRef tr-web",
        "IDSTRConditionRef tr-wep",
    ),
    (
        "condition-of-another-type",
        "    AttackType TCP_QUEUE_SIZE\n    TCPQueueSize SHORT\n",
        "    AttackType GLOBAL_TCP_STALL\n    TCPQueueSize SHORT\n",
    ),
    (
        "protocol-of-scan",
        "Protocol Tcp\n    LocalPortRange",
        "Protocol Sctp\n    LocalPortRange",
    ),
    ("without-type-actions", "  TypeActions TRACE\n", ""),
    ("missing-attack-type", "    AttackType TCP_QUEUE_SIZE\n", ""),
];

#[test]
fn each_mistake_is_told_in_a_way_that_helps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/ids");
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|v| v == "1");
    let mut wrong = String::new();
    for (name, piece, instead) in MISTAKES {
        assert_eq!(
            GOOD.matches(piece).count(),
            1,
            "{name}: {piece:?} stands once"
        );
        let (_, count, text) = read(&GOOD.replace(piece, instead));
        if count == 0 {
            wrong.push_str(&format!("--- {name}: nothing is told\n"));
        }
        let file = folder.join(name).with_extension("txt");
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &text).unwrap();
        } else if std::fs::read_to_string(&file).unwrap_or_default() != text {
            wrong.push_str(&format!(
                "--- {name} is not as in snapshots/ids/{name}.txt\n{text}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
