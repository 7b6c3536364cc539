//! The rules of the language, one by one, through the public interface.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod support;

use hostward_policy::tables::files::{Flush, LOG_LEVEL, Purge, TCP_IMAGE};
use hostward_policy::tables::ipsec::address::{
    All, IP_ADDR, IP_ADDR_GROUP, ip_addr, ip_addr_group,
};
use hostward_policy::tables::ipsec::endpoint::{Identity, remote_security_endpoint};
use hostward_policy::tables::ipsec::filter::{
    FilterAction, IP_FILTER_POLICY, IP_FILTER_RULE, ip_filter_policy, ip_filter_rule,
    ip_generic_filter_action,
};
use hostward_policy::tables::ipsec::key_exchange::{
    KEY_EXCHANGE_RULE, SharedKey, key_exchange_rule,
};
use hostward_policy::tables::ipsec::service::{
    Connect, Direction, IP_SERVICE, Protocol, Routing, ip_service,
};
use hostward_policy::tables::ipsec::time::ip_time_condition;
use hostward_policy::tables::ipsec::vpn::{
    Encryption, Group, IP_DYN_VPN_ACTION, KeyLength, ip_data_offer, ip_dyn_vpn_action,
};
use hostward_policy::tables::ipsec::{OnOff, YesNo};
use hostward_policy::{Atom, Diagnostics, FileKind, Policy, Severity, Sources, TokenKind};
use support::{codes, kinds, language, sources};

const WEB: &str = include_str!("fixtures/web.conf");
const BRANCH: &str = include_str!("fixtures/branch.conf");
const TUNNELS: &str = include_str!("fixtures/tunnels.conf");
const MAIN: &str = include_str!("fixtures/main.conf");
const IMAGE: &str = include_str!("fixtures/tcpip.image");
const IMAGE2: &str = include_str!("fixtures/tcpip2.image");
const NONE: [&str; 0] = [];

/// A service with these lines.
fn service(lines: &str) -> String {
    format!("IpService A\n{{\n{lines}\n}}\n")
}

/// What a line of a service gives.
fn line(text: &str) -> Vec<String> {
    codes(&[&service(text)])
}

#[test]
fn fixtures_have_no_errors() {
    assert_eq!(codes(&[WEB]), NONE);
    assert_eq!(codes(&[TUNNELS]), NONE);
    assert_eq!(codes(&[MAIN]), NONE);
    assert_eq!(codes(&[IMAGE]), NONE);
    assert_eq!(codes(&[IMAGE2]), NONE);
    // The example refers to a rule that it leaves to the reader.
    assert_eq!(codes(&[BRANCH]), ["9:25 P0201"]);
    let whole = BRANCH.to_owned() + &WEB.replace("InternalNetWeb", "WebIn");
    assert_eq!(codes(&[&whole]), NONE);
    assert_eq!(
        kinds(&[MAIN, IMAGE, IMAGE2, TUNNELS, WEB]),
        [
            FileKind::Main,
            FileKind::Image,
            FileKind::Image,
            FileKind::Policy("ipsec"),
            FileKind::Policy("ipsec")
        ]
    );
}

#[test]
fn the_example_is_read_as_it_is_meant() {
    let (language, sources) = (language(), sources(&[BRANCH]));
    let policy = Policy::read(&language, &sources, &mut Diagnostics::default());
    let root = policy.statement(&IP_FILTER_POLICY).unwrap();
    assert_eq!(root.choice(ip_filter_policy::PRE_DECAP), Some(OnOff::Off));
    assert_eq!(
        root.choice(ip_filter_policy::ALLOW_ON_DEMAND),
        Some(YesNo::Yes)
    );
    let rules: Vec<_> = root
        .objects(ip_filter_policy::RULES)
        .map(|r| r.name().into_owned())
        .collect();
    assert_eq!(rules, ["IkeTraffic", "TelnetFromBranch"]);
    assert_eq!(root.all(ip_filter_policy::RULES).count(), 3);
    let telnet = root.objects(ip_filter_policy::RULES).nth(1).unwrap();
    assert!(telnet.is(&IP_FILTER_RULE));
    let action = telnet
        .one(ip_filter_rule::ACTION)
        .unwrap()
        .object()
        .unwrap();
    assert_eq!(
        action.choice(ip_generic_filter_action::IP_FILTER_ACTION),
        Some(FilterAction::IpSec)
    );
    let vpn = telnet
        .one(ip_filter_rule::VPN_ACTION)
        .unwrap()
        .object()
        .unwrap();
    assert!(vpn.is(&IP_DYN_VPN_ACTION));
    let groups: Vec<_> = vpn
        .all(ip_dyn_vpn_action::ACCEPTABLE_PFS)
        .map(|s| s.choice::<Group>())
        .collect();
    assert_eq!(groups, [Some(Group::Group19), Some(Group::Group20)]);
    let offer = vpn.objects(ip_dyn_vpn_action::OFFERS).next().unwrap();
    assert!(offer.given_name().is_none() && offer.name().starts_with("IpDataOffer~"));
    assert_eq!(offer.parent(), Some(vpn));
    let encrypt = offer.one(ip_data_offer::HOW_TO_ENCRYPT).unwrap();
    assert_eq!(encrypt.choice(), Some(Encryption::AesGcm16));
    assert_eq!(
        encrypt.atoms().nth(2).unwrap().number(),
        Some(KeyLength::Bits256 as u32)
    );
    let service = telnet.objects(ip_filter_rule::SERVICES).next().unwrap();
    let ports = service.one(ip_service::DESTINATION_PORT_RANGE).unwrap();
    assert!(matches!(
        ports.atom(),
        Some(Atom::Range {
            first: 1024,
            last: 65535
        })
    ));
    assert_eq!(sources.text(ports.span()), "1024 65535");
    assert_eq!(
        sources.text(ports.line_span()),
        "DestinationPortRange 1024 65535"
    );
}

#[test]
fn defaults_apply_and_say_so() {
    let (language, text) = (language(), service(""));
    let sources = sources(&[&text]);
    let policy = Policy::read(&language, &sources, &mut Diagnostics::default());
    let s = policy.statements(&IP_SERVICE).next().unwrap();
    assert_eq!(s.number(ip_service::PROTOCOL), Some(Protocol::All as u32));
    assert_eq!(
        s.choice(ip_service::DIRECTION),
        Some(Direction::Bidirectional)
    );
    assert_eq!(s.choice(ip_service::ROUTING), Some(Routing::Local));
    assert!(s.one(ip_service::ROUTING).unwrap().is_default());
    assert_eq!(
        s.one(ip_service::DIRECTION).unwrap().qualifier::<Connect>(),
        None
    );
    assert!(s.all(ip_service::ROUTING).next().is_none());
    // A parameter of another statement has no value here.
    assert!(s.one(ip_filter_rule::SOURCE).is_none());
}

#[test]
fn keywords_in_any_case_names_as_written() {
    assert_eq!(
        codes(&["ipservice A\n{\nPROTOCOL tcp\n}\nIPSERVICE a\n{\nprotocol TCP\n}\n"]),
        NONE
    );
    let (language, sources) = (
        language(),
        sources(&["ipaddr a\n{\naddr ::1\n}\nIPADDR A\n{\nADDR ::2\n}\n"]),
    );
    let policy = Policy::read(&language, &sources, &mut Diagnostics::default());
    let names: Vec<_> = policy
        .statements(&IP_ADDR)
        .map(|o| o.name().into_owned())
        .collect();
    assert_eq!(names, ["a", "A"]);
}

#[test]
fn comments_blank_lines_and_line_ends() {
    assert_eq!(
        codes(&["\n\n  # c\nIpService A # c\n{ # c\n\tProtocol\ttcp#c\n} # c\n\n"]),
        NONE
    );
    assert_eq!(codes(&[&TUNNELS.replace('\n', "\r\n")]), NONE);
    assert_eq!(codes(&[&TUNNELS.replace('\n', " \t \r\n")]), NONE);
    assert_eq!(codes(&["\u{feff}IpService A\n{\n}"]), NONE);
    assert_eq!(codes(&["", "#", "\n", "\u{feff}"]), NONE);
}

#[test]
fn control_characters_are_reported_where_they_stand() {
    assert_eq!(line("Protocol\0tcp"), ["3:9 P0102"]);
    assert_eq!(line("Protocol tcp\x1b"), ["3:13 P0102"]);
    assert_eq!(line("Proto\rcol tcp"), ["3:6 P0102"]);
    assert_eq!(line("Protocol tcp # \x1b and \0 in a comment"), NONE);
    // Elsewhere a line seems to begin behind these, or the text to run backwards.
    for c in ["\r", "\u{b}", "\u{2028}", "\u{85}", "\u{202e}"] {
        let text = format!("Protocol tcp # x{c}  SourcePortRange 22");
        assert_eq!(line(&text), ["3:17 P0125"], "{c:?}");
    }
    assert_eq!(line("Protocol tcp # x\r"), NONE);
    let mut s = Sources::new();
    s.add("f", &b"IpService A\n{\nProtocol \xff\xfe\n# \xff\n}\n"[..])
        .unwrap();
    assert_eq!(support::codes_of(&language(), &s), ["3:10 P0101"]);
}

#[test]
fn braces_stand_alone() {
    assert_eq!(codes(&["IpService A {\nProtocol tcp\n}\n"]), ["1:13 P0104"]);
    assert_eq!(codes(&["IpService A\n{ Protocol tcp }\n"]), ["2:3 P0104"]);
    assert_eq!(codes(&["IpService A { Protocol tcp }\n"]), ["1:13 P0104"]);
    assert_eq!(codes(&["IpService A{\n}\n"]), ["1:12 P0104"]);
}

#[test]
fn missing_and_stray_braces_are_found_where_they_are() {
    let rule = |name: &str| WEB.replace("InternalNetWeb", name);
    let good = rule("A") + &rule("B") + &rule("C");
    // Without one of the closing braces of the first rule; what follows is still read.
    let lines: Vec<_> = good.lines().collect();
    for (line, expected) in [(13, "13:3 P0105"), (18, "18:1 P0105"), (19, "19:1 P0105")] {
        assert_eq!(lines[line - 1].trim(), "}");
        let mut text = lines.clone();
        text[29] = "    Ruting local";
        text.remove(line - 1);
        let found = codes(&[&text.join("\n")]);
        assert!(
            found.contains(&"29:5 P0110".to_owned()),
            "{line}: {found:?}"
        );
        assert_eq!(found.len(), 2, "{line}: {found:?}");
        assert_eq!(found[0], expected, "{found:?}");
    }
    // The same without any indentation.
    for line in [13, 18, 19] {
        let mut text: Vec<_> = lines.iter().map(|l| l.trim()).collect();
        text.remove(line - 1);
        let found = codes(&[&text.join("\n")]);
        assert!(
            found.iter().any(|c| c.ends_with("P0105")),
            "{line}: {found:?}"
        );
        assert!(found.len() <= 2, "{line}: {found:?}");
    }
    // Indentation never matters where braces match.
    let flat: Vec<_> = lines.iter().map(|l| l.trim()).collect();
    assert_eq!(codes(&[&flat.join("\n")]), NONE);
    let inverse: Vec<_> = lines
        .iter()
        .map(|l| format!("{}{}", " ".repeat(8 - (l.len() - l.trim().len())), l.trim()))
        .collect();
    assert_eq!(codes(&[&inverse.join("\n")]), NONE);
    assert_eq!(codes(&["}\nIpService A\n{\n}\n"]), ["1:1 P0106"]);
    assert_eq!(codes(&["IpService A\n{\n"]), ["2:1 P0105"]);
}

#[test]
fn nesting_is_bounded_and_said_once() {
    let text = "IpFilterPolicy\n{\n".repeat(50) + &"}\n".repeat(50);
    let found = codes(&[&text]);
    assert_eq!(
        found.iter().filter(|c| c.ends_with("P0108")).count(),
        1,
        "{found:?}"
    );
    // What follows is read again.
    let found = codes(&[&(text + "IpServic A\n{\n}\n")]);
    assert!(found.contains(&"151:1 P0110".to_owned()), "{found:?}");
}

#[test]
fn names() {
    let with = |name: &str| codes(&[&format!("IpAddr {name}\n{{\nAddr ::1\n}}\n")]);
    assert_eq!(with(&"n".repeat(32)), NONE);
    assert_eq!(with(&"ä".repeat(32)), NONE);
    assert_eq!(with(&"n".repeat(33)), ["1:8 P0114"]);
    assert_eq!(with("-a"), ["1:8 P0113"]);
    assert_eq!(with("a-b"), NONE);
    assert_eq!(with("a,b"), ["1:8 P0113"]);
    assert_eq!(with(""), ["1:1 P0112"]);
    assert_eq!(with("a b"), ["1:10 P0103"]);
    assert_eq!(
        codes(&["IpFilterPolicy P\n{\nIpFilterRuleRef -a\n}\n"]),
        ["1:16 P0115", "3:17 P0113"]
    );
}

#[test]
fn numbers_and_ranges() {
    for good in ["0", "80", "1 65535", "1:65535", "1-65535", "80 80", "080"] {
        assert_eq!(line(&format!("SourcePortRange {good}")), NONE, "{good}");
    }
    for (bad, code) in [
        ("65536", "3:17 P0119"),
        ("99999999999", "3:17 P0119"),
        ("1 65536", "3:19 P0119"),
        ("2 1", "3:17 P0120"),
        ("2-1", "3:17 P0120"),
        ("1 - 2", "3:19 P0121"),
        ("1- 2", "3:17 P0121"),
        ("1 -2", "3:19 P0121"),
        ("1-2-3", "3:17 P0121"),
        ("1:2-3", "3:17 P0121"),
        ("1 2:3", "3:19 P0121"),
        ("1-", "3:17 P0121"),
        ("-1", "3:17 P0117"),
        ("+1", "3:17 P0117"),
        ("0x10", "3:17 P0117"),
        ("http", "3:17 P0117"),
        ("", "3:1 P0116"),
        ("80k", "3:17 P0117"),
    ] {
        assert_eq!(line(&format!("SourcePortRange {bad}")), [code], "{bad}");
    }
    assert_eq!(line("SecurityClass 255"), NONE);
    assert_eq!(line("SecurityClass 256"), ["3:15 P0119"]);
    assert_eq!(line("Type any"), NONE);
    assert_eq!(line("Type 0 255"), NONE);
    assert_eq!(line("Type some"), ["3:6 P0118"]);
    assert_eq!(line("Protocol 6"), NONE);
    assert_eq!(line("Protocol 132"), NONE);
    assert_eq!(line("Protocol 256"), ["3:10 P0119"]);
}

#[test]
fn a_protocol_by_name_or_number_is_the_same() {
    for (text, number) in [
        ("tcp", 6),
        ("6", 6),
        ("Ospf", 89),
        ("135", 135),
        ("132", 132),
        ("Opaque", 257),
    ] {
        let (language, text) = (language(), service(&format!("Protocol {text}")));
        let sources = sources(&[&text]);
        let policy = Policy::read(&language, &sources, &mut Diagnostics::default());
        let service = policy.statements(&IP_SERVICE).next().unwrap();
        assert_eq!(service.number(ip_service::PROTOCOL), Some(number), "{text}");
    }
}

#[test]
fn addresses() {
    let with = |value: &str| {
        codes(&[&format!(
            "IpFilterRule A\n{{\nIpSourceAddr {value}\nIpGenericFilterAction\n{{\nIpFilterAction Deny\n}}\n}}\n"
        )])
    };
    for good in [
        "1.2.3.4",
        "::",
        "2001:db8::1",
        "::ffff:1.2.3.4",
        "0.0.0.0/0",
        "::/96",
        "1.2.3.4/32",
        "::1/128",
        "1.2.3.4-1.2.3.4",
        "1.2.3.4-1.2.4.0",
        "::1-::2",
        "all",
        "ALL4",
        "All6",
    ] {
        assert_eq!(with(good), NONE, "{good}");
    }
    for (bad, code) in [
        ("1.2.3.4/33", "3:14 P0123"),
        ("::1/129", "3:14 P0123"),
        ("::1/999", "3:14 P0123"),
        ("1.2.3.4/", "3:14 P0117"),
        ("1.2.3", "3:14 P0117"),
        ("1.2.3.4.5", "3:14 P0117"),
        ("::1::", "3:14 P0117"),
        ("1.2.3.4-::1", "3:14 P0122"),
        ("1.2.3.5-1.2.3.4", "3:14 P0120"),
        ("1.2.3.4/8-1.2.3.9", "3:14 P0117"),
        ("All5", "3:14 P0118"),
        ("010.1.1.1", "3:14 P0117"),
    ] {
        assert_eq!(with(bad), [code], "{bad}");
    }
    // Ranges of addresses are written with `-` only.
    let set = |line: &str| codes(&[&format!("IpAddrSet A\n{{\n{line}\n}}\n")]);
    assert_eq!(set("Range 1.2.3.4-1.2.3.9"), NONE);
    assert_eq!(set("Range 1.2.3.4 - 1.2.3.9"), ["3:7 P0121"]);
    assert_eq!(set("Range 1.2.3.4:1.2.3.9"), ["3:7 P0121"]);
    assert_eq!(set("Prefix 1.2.3.4"), ["3:8 P0117"]);
    assert_eq!(set("Prefix 1.2.3.4/24"), NONE);
    assert_eq!(set("Prefix 1.2.3.4/24\nRange ::1-::2"), ["4:1 P0208"]);
}

#[test]
fn mapped_addresses_are_for_filter_rules_and_identities() {
    let endpoint = |line: &str| codes(&[&format!("RemoteSecurityEndpoint A\n{{\n{line}\n}}\n")]);
    assert_eq!(endpoint("Identity IpAddr ::ffff:1.2.3.4"), NONE);
    assert_eq!(endpoint("Location ::ffff:1.2.3.4"), ["3:10 P0124"]);
    assert_eq!(endpoint("Location ::/96"), NONE);
    assert_eq!(endpoint("Location ::2/96"), ["3:10 P0124"]);
    assert_eq!(endpoint("Location 2001:db8::/32"), NONE);
}

#[test]
fn values_on_the_line_blocks_and_references_are_alternatives() {
    let text = "\
IpFilterRule A
{
  IpSourceAddr
  {
    Addr 1.2.3.4
  }
  IpDestAddrSet Inline
  {
    Prefix 1.2.3.0/24
  }
  IpGenericFilterActionRef Deny
}
IpFilterRule B
{
  IpSourceAddr All6
  IpDestAddrGroupRef G
  IpGenericFilterActionRef Deny
}
IpGenericFilterAction Deny
{
  IpFilterAction deny
}
IpAddrGroup G
{
  IpAddr
  {
    # @host a
    Addr ::1
  }
  IpAddrRef X
}
IpAddr X
{
  Addr ::2
}
";
    let (language, sources) = (language(), sources(&[text]));
    let mut out = Diagnostics::default();
    let policy = Policy::read(&language, &sources, &mut out);
    assert_eq!(out.iter().count(), 0);
    let rules: Vec<_> = policy.statements(&IP_FILTER_RULE).collect();
    let source = rules[0].one(ip_filter_rule::SOURCE).unwrap();
    assert_eq!(source.keyword().unwrap().name, "IpSourceAddr");
    let address = source.object().unwrap().one(ip_addr::ADDR).unwrap();
    assert!(matches!(address.atom(), Some(Atom::Address(a)) if a.is_ipv4()));
    let destination = rules[0]
        .one(ip_filter_rule::DESTINATION)
        .unwrap()
        .object()
        .unwrap();
    assert_eq!(destination.given_name(), Some("Inline"));
    assert_eq!(
        rules[1].one(ip_filter_rule::SOURCE).unwrap().choice(),
        Some(All::All6)
    );
    let group = rules[1]
        .one(ip_filter_rule::DESTINATION)
        .unwrap()
        .object()
        .unwrap();
    assert!(group.is(&IP_ADDR_GROUP));
    let members: Vec<_> = group
        .objects(ip_addr_group::MEMBERS)
        .map(|o| o.given_name().is_some())
        .collect();
    assert_eq!(members, [false, true]);
    // What is written inside another statement is not there for others.
    let found = codes(&[&text.replace("IpDestAddrGroupRef G", "IpDestAddrSetRef Inline")]);
    assert_eq!(found, ["16:20 P0201"]);
}

#[test]
fn the_last_of_two_counts() {
    let (language, text) = (language(), service("Protocol tcp\nProtocol udp"));
    let sources = sources(&[&text]);
    let mut out = Diagnostics::default();
    let policy = Policy::read(&language, &sources, &mut out);
    let service = policy.statements(&IP_SERVICE).next().unwrap();
    assert_eq!(service.number(ip_service::PROTOCOL), Some(17));
    assert_eq!(
        (out.count(Severity::Error), out.count(Severity::Warning)),
        (0, 1)
    );
}

#[test]
fn definitions_of_later_files_and_later_ones_of_one_file_count() {
    let common = "IpAddr A\n{\nAddr 1.1.1.1\n}\nIpAddr B\n{\nAddr 1.1.1.1\n}\n";
    let own = "IpAddr A\n{\nAddr 2.2.2.2\n}\nIpAddr A\n{\nAddr 3.3.3.3\n}\nIpAddrGroup G\n{\nIpAddrRef A\nIpAddrRef B\n}\n";
    assert_eq!(codes(&[common, own]), ["1:1 P0204", "5:1 P0203"]);
    let (language, sources) = (language(), sources(&[common, own]));
    let policy = Policy::read(&language, &sources, &mut Diagnostics::default());
    assert_eq!(policy.statements(&IP_ADDR).count(), 2);
    let group = policy.statement(&IP_ADDR_GROUP).unwrap();
    let addresses: Vec<_> = group
        .objects(ip_addr_group::MEMBERS)
        .map(|o| {
            sources
                .text(o.one(ip_addr::ADDR).unwrap().span())
                .to_owned()
        })
        .collect();
    assert_eq!(addresses, ["3.3.3.3", "1.1.1.1"]);
    assert!(policy.objects().next().unwrap().is_overridden());
    // Once-only statements likewise.
    let policy_of = |rule: &str| {
        format!(
            "IpFilterPolicy\n{{\nPreDecap On\nIpFilterRule {rule}\n{{\nIpGenericFilterAction\n{{\nIpFilterAction deny\n}}\n}}\n}}\n"
        )
    };
    let (common, own) = (policy_of("C"), policy_of("O") + &policy_of("P"));
    assert_eq!(codes(&[&common, &own]), ["1:1 P0204", "12:1 P0209"]);
    let sources = support::sources(&[&common, &own]);
    let policy = Policy::read(&language, &sources, &mut Diagnostics::default());
    let root = policy.statement(&IP_FILTER_POLICY).unwrap();
    assert_eq!(policy.statements(&IP_FILTER_POLICY).count(), 1);
    assert_eq!(
        root.objects(ip_filter_policy::RULES).next().unwrap().name(),
        "P"
    );
}

#[test]
fn unused_statements_are_noted_when_there_is_a_policy() {
    let text = TUNNELS.to_owned() + "IpAddr Unused\n{\nAddr ::1\n}\n";
    assert_eq!(codes(&[&text]).len(), 1);
    assert!(codes(&[&text])[0].ends_with("P0205"));
    assert_eq!(codes(&["IpAddr Unused\n{\nAddr ::1\n}\n"]), NONE);
}

#[test]
fn required_parameters_and_lists() {
    assert_eq!(codes(&["IpAddr A\n{\n}\n"]), ["1:1 P0206"]);
    assert_eq!(codes(&["IpAddrGroup A\n{\n}\n"]), ["1:1 P0206"]);
    assert_eq!(codes(&["IpFilterRule A\n{\n}\n"]), ["1:1 P0206"]);
    assert_eq!(codes(&["IpService A\n{\n}\n"]), NONE);
    // A parameter with a mistake is not called missing too.
    assert_eq!(codes(&["IpAddr A\n{\nAddr x\n}\n"]), ["3:6 P0117"]);
}

#[test]
fn text_behind_values_is_ignored_and_warned_about() {
    assert_eq!(line("Protocol tcp and more"), ["3:14 P0103"]);
    assert_eq!(line("Direction Inbound InboundConnect x"), ["3:34 P0103"]);
    // A misspelt qualifier would widen the rule.
    assert_eq!(line("Direction Inbound InboundConect"), ["3:19 P0118"]);
    assert_eq!(line("SecurityClass 1 seconds"), ["3:17 P0103"]);
}

#[test]
fn text_is_taken_as_it_is_where_the_table_says_so() {
    let (language, sources) = (language(), sources(&[TUNNELS]));
    let policy = Policy::read(&language, &sources, &mut Diagnostics::default());
    let rule = policy.statement(&KEY_EXCHANGE_RULE).unwrap();
    let key = rule.one(key_exchange_rule::SHARED_KEY).unwrap();
    assert_eq!(key.choice(), Some(SharedKey::Ascii));
    assert!(matches!(
        key.atoms().nth(1),
        Some(Atom::Text("s3cret # {not a comment}"))
    ));
    let peer = rule
        .one(key_exchange_rule::REMOTE)
        .unwrap()
        .object()
        .unwrap();
    let identity = peer.one(remote_security_endpoint::IDENTITY).unwrap();
    assert_eq!(identity.choice(), Some(Identity::Fqdn));
    assert!(matches!(
        identity.atoms().nth(1),
        Some(Atom::Word("branch.example.com"))
    ));
    let labels: Vec<_> = peer
        .all(remote_security_endpoint::CA_LABELS)
        .map(|s| format!("{:?}", s.atom().unwrap()))
        .collect();
    assert_eq!(labels, ["Text(\"Our   root #1\")", "Text(\"Another\")"]);
}

#[test]
fn times() {
    let with = |line: &str| codes(&[&format!("IpTimeCondition A\n{{\n{line}\n}}\n")]);
    for good in [
        "ConditionTimeRange 20240229000000:20240229240000",
        "MonthOfYearMask 100000000001",
        "DayOfWeekMask 1000001",
        "TimeOfDayRange 00:00-24:00",
        "TimeOfDayRange 22:00-6:00",
        "TimeOfDayRange 8:00-9:00,10:00-11:00 , 12:00-13:00",
        "TimeZone utc",
        "DayOfMonthMask 0000000000000000000000000000001",
    ] {
        assert_eq!(with(good), NONE, "{good}");
    }
    for (bad, code) in [
        (
            "ConditionTimeRange 20230229000000:20240101000000",
            "3:20 P0117",
        ),
        (
            "ConditionTimeRange 20240101000000:20230101000000",
            "3:20 P0120",
        ),
        (
            "ConditionTimeRange 20240101000000-20230101000000",
            "3:20 P0121",
        ),
        ("ConditionTimeRange 20240101:20250101", "3:20 P0117"),
        (
            "ConditionTimeRange 20241301000000:20250101000000",
            "3:20 P0117",
        ),
        ("MonthOfYearMask 1111", "3:17 P0117"),
        ("DayOfWeekMask 1111112", "3:15 P0117"),
        ("TimeOfDayRange 24:00-01:00", "3:16 P0117"),
        ("TimeOfDayRange 8-9", "3:16 P0117"),
        ("TimeOfDayRange 08:60-09:00", "3:16 P0117"),
        ("TimeOfDayRange 08:00-24:01", "3:16 P0117"),
        ("TimeZone CET", "3:10 P0118"),
    ] {
        assert_eq!(with(bad), [code], "{bad}");
    }
    let (language, sources) = (language(), sources(&[TUNNELS]));
    let policy = Policy::read(&language, &sources, &mut Diagnostics::default());
    let rule = policy
        .objects()
        .find(|o| o.given_name() == Some("ToBranch"))
        .unwrap();
    let time = rule
        .objects(ip_filter_rule::TIME_CONDITIONS)
        .next()
        .unwrap();
    let hours: Vec<_> = time
        .all(ip_time_condition::TIME_OF_DAY_RANGE)
        .flat_map(|s| s.atoms())
        .map(|a| {
            let Atom::Hours { from, to } = a else {
                panic!("{a:?}")
            };
            (from, to)
        })
        .collect();
    assert_eq!(hours, [(480, 720), (780, 1050), (1320, 1440)]);
    let days = time
        .one(ip_time_condition::DAY_OF_WEEK_MASK)
        .unwrap()
        .atom();
    assert!(matches!(
        days,
        Some(Atom::Mask {
            bits: 0b011_1110,
            length: 7
        })
    ));
}

#[test]
fn files_are_told_apart_and_strangers_in_them_reported() {
    assert_eq!(
        kinds(&["LogLevel 31\nTcpImage A\nTTLSConfig /x/y\n"]),
        [FileKind::MainAndImage]
    );
    assert_eq!(codes(&["LogLevel 31\nTcpImage A\nTTLSConfig /x/y\n"]), NONE);
    // Without a TcpImage of its own an image statement in the main file has no effect.
    assert_eq!(
        codes(&["LogLevel 31\nTcpImage A /x/y\nTTLSConfig /x/y\n"]),
        ["3:1 P0212"]
    );
    // TcpImage names the policy file itself: the file, read as an image file, holds policy.
    let mut sources = Sources::new();
    sources
        .add_kind("image", WEB.as_bytes(), FileKind::Image)
        .unwrap();
    assert_eq!(support::codes_of(&language(), &sources), ["1:1 P0211"]);
    // However many strangers there are, one message.
    let text = TUNNELS.to_owned() + "LogLevel 1\nCommonIpSecConfig /a/b\n";
    let found = codes(&[&text]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("P0211"), "{found:?}");
}

#[test]
fn lines_of_the_agents_files() {
    for good in [
        "TcpImage A",
        "TcpImage A FLUSH",
        "TcpImage A /a/b noflush nopurge 2147483647",
        "PEPInstance A //'X.Y(Z)' PURGE",
        "LogLevel 511",
        "Codepage IBM-1047",
        "TcpImage A 600",
        "ServicesConnection\n{\nAnything {\n}\n}\nLogLevel 1",
        "AutoMonitorApps\n{\nAppName TRMD\n{\nTcpImageName A\n{\nProcName P\nEnvVar A=b # c\n}\n}\n}",
    ] {
        let found: Vec<_> = codes(&[good])
            .into_iter()
            .filter(|c| !c.ends_with("P0104"))
            .collect();
        assert_eq!(found, NONE, "{good}");
    }
    for (bad, code) in [
        ("TcpImage", "1:1 P0116"),
        ("TcpImage A /a/b 0", "1:17 P0119"),
        ("LogLevel 512", "1:10 P0119"),
        ("TcpImage A /a/b FLUSCH", "1:17 P0118"),
        ("CommonIpSecConfig", "1:1 P0116"),
        ("CommonIpSecConfig policy", "1:19 P0117"),
        ("IpSecConfig policy", "1:13 P0117"),
        ("LogLevel x", "1:10 P0117"),
    ] {
        assert_eq!(codes(&[bad]), [code], "{bad}");
    }
    assert_eq!(
        codes(&["TTLSConfig /a/b\nTTLSConfig /c/d\n"]),
        ["2:1 P0209"]
    );
}

#[test]
fn every_byte_is_in_a_token() {
    for text in [
        WEB,
        BRANCH,
        TUNNELS,
        MAIN,
        "\u{feff}a{b}c#d\r\n\0\n",
        "IpService A{Protocol tcp}#x",
    ] {
        let (language, sources) = (language(), sources(&[text]));
        let policy = Policy::read(&language, &sources, &mut Diagnostics::default());
        let (id, _) = sources.iter().next().unwrap();
        let tree = policy.tree(id).unwrap();
        let mut joined = String::new();
        for token in tree.tokens(&language, &sources) {
            joined.push_str(sources.text(token.span));
        }
        assert_eq!(joined, text);
        let comments = tree
            .tokens(&language, &sources)
            .filter(|t| t.kind == TokenKind::Comment)
            .count();
        assert_eq!(
            comments,
            text.lines()
                .filter(|l| l.contains('#')
                    && !l.contains("{not")
                    && !l.contains("{Ltd}")
                    && !l.contains("root #1")
                    && !l.contains("# the peer"))
                .count()
        );
    }
}

#[test]
fn the_pieces_of_a_line_are_typed() {
    let (language, sources) = (language(), sources(&[MAIN]));
    let policy = Policy::read(&language, &sources, &mut Diagnostics::default());
    let images: Vec<_> = policy
        .statements(&TCP_IMAGE)
        .map(|o| {
            let line = o.line().unwrap();
            let atoms = || line.atoms();
            (
                atoms().find_map(|a| if let Atom::Name(n) = a { Some(n) } else { None }),
                atoms().find_map(|a| if let Atom::Path(p) = a { Some(p) } else { None }),
                atoms().find_map(|a| a.choice::<Flush>()),
                atoms().find_map(|a| a.choice::<Purge>()),
                atoms().find_map(|a| {
                    if let Atom::Number(n) = a {
                        Some(n)
                    } else {
                        None
                    }
                }),
            )
        })
        .collect();
    assert_eq!(
        images,
        [
            (
                Some("TCPIP"),
                Some("/etc/policy/tcpip.image"),
                Some(Flush::Flush),
                Some(Purge::Purge),
                Some(600)
            ),
            (
                Some("TCPIP2"),
                Some("/etc/policy/tcpip2.image"),
                Some(Flush::NoFlush),
                Some(Purge::NoPurge),
                None
            ),
        ]
    );
    let log = policy.statement(&LOG_LEVEL).unwrap().line().unwrap();
    assert_eq!(log.atom().unwrap().number(), Some(127));
}

#[test]
fn messages_are_bounded_and_counted() {
    let text = "Nonsense\n".repeat(100);
    let (language, sources) = (language(), sources(&[&text]));
    let mut out = Diagnostics::new(10);
    let _ = Policy::read(&language, &sources, &mut out);
    assert_eq!(
        (
            out.iter().count(),
            out.dropped(),
            out.count(Severity::Error)
        ),
        (10, 90, 100)
    );
}

#[test]
fn one_line_is_the_form_for_tools() {
    let (language, sources) = (
        language(),
        sources(&["IpAddr A\n{\nAddr \u{7}\n}\nIpAddr B\n{\nAddr x\n}\n"]),
    );
    let mut out = Diagnostics::default();
    let _ = Policy::read(&language, &sources, &mut out);
    out.sort();
    let lines: Vec<_> = out.iter().map(|d| d.line(&sources).to_string()).collect();
    assert_eq!(
        lines[1],
        "file0:7:6: error[P0117]: `x` is not a value of `Addr`: expected an IPv4 or IPv6 address"
    );
    assert!(!lines[0].contains('\u{7}'), "{}", lines[0]);
}

/// Takes away or adds one brace at every place of a text: how many messages come of it.
fn brace_mistakes(
    text: &str,
    change: impl Fn(&mut Vec<&str>, usize) -> bool,
) -> Vec<(usize, Vec<String>)> {
    let lines: Vec<_> = text.lines().collect();
    (0..lines.len())
        .filter_map(|i| {
            let mut changed = lines.clone();
            change(&mut changed, i).then(|| (i + 1, codes(&[&changed.join("\n")])))
        })
        .collect()
}

#[test]
fn one_wrong_brace_anywhere_gives_one_message() {
    let branch = BRANCH.to_owned() + &WEB.replace("InternalNetWeb", "WebIn");
    for text in [WEB, &branch, TUNNELS] {
        let remove = |what: &'static str| {
            move |lines: &mut Vec<&str>, i: usize| {
                let found = lines[i].trim() == what;
                if found {
                    lines.remove(i);
                }
                found
            }
        };
        for (line, found) in brace_mistakes(text, remove("}")) {
            assert_eq!(
                found.len(),
                1,
                "without the brace of line {line}: {found:?}"
            );
            assert!(found[0].ends_with("P0105"), "{found:?}");
        }
        for (line, found) in brace_mistakes(text, remove("{")) {
            assert_eq!(
                found.len(),
                1,
                "without the brace of line {line}: {found:?}"
            );
            assert!(found[0].ends_with("P0109"), "{found:?}");
        }
        let double = |what: &'static str| {
            move |lines: &mut Vec<&str>, i: usize| {
                let found = lines[i].trim() == what;
                lines.insert(i, lines[i]);
                found
            }
        };
        for (line, found) in brace_mistakes(text, double("{")) {
            assert_eq!(
                found.len(),
                1,
                "with the brace of line {line} twice: {found:?}"
            );
            assert!(found[0].ends_with("P0107"), "{found:?}");
        }
        for (line, found) in brace_mistakes(text, double("}")) {
            assert_eq!(
                found.len(),
                1,
                "with the brace of line {line} twice: {found:?}"
            );
            assert!(found[0].ends_with("P0106"), "{found:?}");
        }
    }
}

#[test]
fn a_text_of_another_width_is_told_of_once() {
    let text = service("Protocol tcp\nRouting Either");
    let wide = |mark: &[u8]| {
        let mut bytes = mark.to_vec();
        bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        bytes
    };
    for (mark, code) in [(&b"\xff\xfe"[..], "P0101"), (b"", "P0102")] {
        let mut sources = Sources::new();
        sources.add("f", wide(mark)).unwrap();
        let mut out = Diagnostics::default();
        assert!(Policy::read(&language(), &sources, &mut out).has_errors());
        let told: Vec<_> = out.iter().map(|d| d.code.to_string()).collect();
        assert_eq!(told, [code]);
    }
}

#[test]
fn a_parameter_behind_a_value_is_named() {
    let mut out = Diagnostics::default();
    let sources = sources(&[&service("Protocol tcp SourcePortRange 22")]);
    let _ = Policy::read(&language(), &sources, &mut out);
    let help = out.iter().find_map(|d| d.help.clone());
    assert_eq!(
        help.as_deref(),
        Some("begin a new line with `SourcePortRange`")
    );
}

/// Ignoring what stands behind a value must not widen what is selected.
#[test]
fn text_behind_what_selects_is_an_error() {
    let service = |line: &str| format!("IpService A\n{{\n{line}\n}}\n");
    for (line, code) in [
        ("Direction Bidirectional ConnectInbound", "3:25 P0118"),
        ("Direction Bidirectional Inbound", "3:25 P0118"),
        ("Protocol tcp SourcePortRange 22", "3:14 P0126"),
        ("SourcePortRange 80 to 90", "3:20 P0126"),
        ("Protocol tcp really", "3:14 P0103"),
        ("Protocol tcp # really", ""),
    ] {
        let found = codes(&[&service(line)]);
        let expected: Vec<&str> = if code.is_empty() { vec![] } else { vec![code] };
        assert_eq!(found, expected, "{line}");
    }
    let rule = |line: &str| {
        format!(
            "IpFilterRule A\n{{\n{line}\nIpGenericFilterAction\n{{\nIpFilterAction permit\n}}\n}}\n"
        )
    };
    for line in [
        "IpSourceAddr 10.1.1.1 - 10.1.1.9",
        "IpSourceAddr 10.1.1.0 /24",
    ] {
        assert_eq!(codes(&[&rule(line)]), ["3:23 P0126"], "{line}");
    }
}
