//! IP filter rules: from text to decisions, and what is told about policies that mean nothing.
#![cfg(feature = "filter")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

use std::net::IpAddr;

use hostward_filter::{
    Action, Connect, Discard, Header, InForce, Logging, Opening, RuleDirection, RuleRouting,
    Selectors, TunnelKind, Upper, Zone,
};
use hostward_hook::ident::TunnelId;
use hostward_hook::meta::{Direction, Routing};
use hostward_hook::time::UnixTime;
use hostward_policy::filter::{FilterPolicy, Options, compile};
use hostward_policy::{Diagnostics, Language, Policy, Sources};

/// Compiles a text; what was told comes as lines of `line:column: code message`.
fn compiled(text: &str) -> (Option<FilterPolicy>, Vec<String>) {
    compiled_with(text, &Options::default())
}

fn compiled_with(text: &str, options: &Options<'_>) -> (Option<FilterPolicy>, Vec<String>) {
    let language = Language::full().unwrap();
    let mut sources = Sources::new();
    sources.add("policy.conf", text.as_bytes()).unwrap();
    let mut out = Diagnostics::default();
    let policy = Policy::read(&language, &sources, &mut out);
    let made = compile(&policy, options, &mut out);
    out.sort();
    let told = out.iter().map(|d| {
        let place = sources.location(d.primary.span);
        format!("{}:{}: {} {}", place.line, place.column, d.code, d.message)
    });
    (made, told.collect())
}

/// Compiles a text about which nothing is to be said.
fn good(text: &str) -> FilterPolicy {
    let (made, told) = compiled(text);
    assert_eq!(told, Vec::<String>::new());
    made.unwrap()
}

fn codes(text: &str) -> Vec<String> {
    let code = |line: String| line.split(' ').nth(1).unwrap().to_owned();
    compiled(text).1.into_iter().map(code).collect()
}

const PERMIT: &str = "
IpGenericFilterAction permit
{
  IpFilterAction permit
}
";

/// A policy of one rule with this body and the action `permit`.
fn one_rule(body: &str) -> String {
    format!(
        "IpFilterPolicy\n{{\n  IpFilterRuleRef r\n}}\nIpFilterRule r\n{{\n{body}\n  \
         IpGenericFilterActionRef permit\n}}\n{PERMIT}"
    )
}

/// One rule with a service of this body.
fn one_service(body: &str) -> String {
    one_rule(&format!("  IpService\n  {{\n{body}\n  }}"))
}

fn packet(source: &str, destination: &str, ports: (u16, u16), direction: Direction) -> Selectors {
    let address = |s: &str| -> IpAddr { s.parse().unwrap() };
    Selectors {
        source: address(source),
        destination: address(destination),
        protocol: Some(6),
        header: Header::Ports(ports.0, ports.1),
        fragment: false,
        opening: Opening::Continues,
        direction,
        routing: Routing::Local,
        security_class: 9,
    }
}

#[test]
fn the_web_server_rule_decides_packets_as_described() {
    let policy = good(
        "IpFilterPolicy
{
  IpFilterRule InternalNetWeb
  {
    IpSourceAddr 10.1.1.1
    IpDestAddrSet 10.1.1.0/24
    IpService
    {
      SourcePortRange 80
      DestinationPortRange 1024 65535
      Protocol tcp
      Direction bidirectional InboundConnect
      Routing local
      SecurityClass 0
    }
    IpGenericFilterAction
    {
      IpFilterAction permit
      IpFilterLogging no
    }
  }
}
",
    );
    let set = &policy.rule_set;
    let decide = |p: Selectors| {
        let found = set.first_match(&p, &InForce::default());
        found.map(|(_, r)| r.action)
    };
    let opening = |p: Selectors| Selectors {
        opening: Opening::Opens,
        ..p
    };
    let (inbound, outbound) = (Direction::Inbound, Direction::Outbound);
    let request = packet("10.1.1.7", "10.1.1.1", (2000, 80), inbound);
    let answer = packet("10.1.1.1", "10.1.1.7", (80, 2000), outbound);
    assert_eq!(decide(request), Some(Action::Permit));
    assert_eq!(decide(answer), Some(Action::Permit));
    // Clients open connections, the server does not.
    assert_eq!(decide(opening(request)), Some(Action::Permit));
    assert_eq!(decide(opening(answer)), None);
    for denied in [
        packet("10.1.2.7", "10.1.1.1", (2000, 80), inbound),
        packet("10.1.1.7", "10.1.1.1", (1023, 80), inbound),
        packet("10.1.1.7", "10.1.1.1", (2000, 81), inbound),
        packet("10.1.1.7", "10.1.1.1", (2000, 80), outbound),
        Selectors {
            routing: Routing::Routed,
            ..request
        },
        Selectors {
            protocol: Some(17),
            ..request
        },
    ] {
        assert_eq!(decide(denied), None, "{denied:?}");
    }
    assert_eq!(set.rules()[0].logging, Logging::No);
    assert_eq!(&*set.rules()[0].name, "InternalNetWeb");
}

/// Branches reach a host with negotiated tunnels.
const EXAMPLE: &str = "
IpFilterPolicy
{
  PreDecap              Off
  FilterLogging         On
  AllowOnDemand         Yes
  ImplicitDiscardAction Silent
  IpFilterRuleRef       IkeTraffic
  IpFilterRuleRef       TelnetFromBranch
}
IpFilterRule IkeTraffic   # port 4500 too where there is a NAT
{
  IpSourceAddr          192.0.2.1
  IpDestAddr            All4
  IpService
  {
    Protocol            Udp
    SourcePortRange     500
    Direction           Bidirectional
    Routing             Local
  }
  IpGenericFilterActionRef PermitQuiet
}
IpFilterRule TelnetFromBranch
{
  IpSourceAddr          192.0.2.1
  IpDestAddr            198.51.100.0/24
  IpService
  {
    Protocol            Tcp
    SourcePortRange     23
    DestinationPortRange 1024 65535
    Direction           Bidirectional InboundConnect
    Routing             Local
  }
  IpGenericFilterActionRef SecureLogged
  IpDynVpnActionRef     Gold
}
IpGenericFilterAction PermitQuiet
{
  IpFilterAction        Permit
  IpFilterLogging       No
}
IpGenericFilterAction SecureLogged
{
  IpFilterAction        IpSec
  IpFilterLogging       LogDeny
}
IpDynVpnAction Gold
{
  Initiation            Either
  InitiateWithPfs       Group19
  AcceptablePfs         Group19
  AcceptablePfs         Group20
  IpDataOffer
  {
    HowToEncap          Tunnel
    HowToEncrypt        AES_GCM_16 KeyLength 256
    HowToAuth           ESP Null
  }
}
";

#[test]
fn the_worked_example_of_the_reference_compiles() {
    let policy = good(EXAMPLE);
    let set = &policy.rule_set;
    let settings = set.settings();
    assert!(settings.logging && settings.allow_on_demand && !settings.pre_decap);
    let [ike, telnet] = set.rules() else {
        panic!("{:?}", set.rules())
    };
    assert_eq!((ike.action, ike.logging), (Action::Permit, Logging::No));
    assert_eq!(ike.services.as_slice()[0].upper.protocol(), Some(17));
    assert_eq!(telnet.action, Action::Ipsec(TunnelId(0)));
    assert_eq!(telnet.logging, Logging::Deny);
    assert_eq!(telnet.services.as_slice()[0].connect, Connect::Inbound);
    let gold = set.tunnel(TunnelId(0)).unwrap();
    assert_eq!((&*gold.name, gold.kind), ("Gold", TunnelKind::Dynamic));
    assert_eq!(policy.places.len(), 2);
}

const GROUPS: &str = "
IpFilterPolicy
{
  FilterLogging off
  IpFilterLogImplicit yes
  ImplicitDiscardAction ICMP
  PreDecap on
  FIPS140 yes
  IpFilterGroupRef servers
  IpFilterRuleRef last
}
IpFilterGroup servers
{
  IpFilterRuleRef mail
  IpFilterRule ping
  {
    IpService
    {
      Protocol icmp
      Type 8
      Code 0
      Direction inbound
    }
    IpService
    {
      Protocol ospf
      Type 1-3
    }
    IpService
    {
      Protocol MIPv6
      Type 5
      FragmentsOnly no
    }
    IpGenericFilterActionRef permit
  }
}
IpFilterRule mail
{
  IpSourceAddrGroupRef ours
  IpDestAddrSetRef branch
  IpServiceGroupRef post
  IpTimeConditionRef office
  IpTimeCondition
  {
    DayOfMonthMask 10000000000000000000000000000001000000000000000000000000000000
    TimeZone UTC
  }
  IpGenericFilterActionRef permit
}
IpFilterRule last
{
  IpSourceAddrRef one
  IpDestAddr 192.0.2.5-192.0.2.9
  IpService
  {
    Protocol 47
    Routing either
    SecurityClass 7
    Direction outbound
  }
  IpGenericFilterAction
  {
    IpFilterAction deny
    IpFilterLogging yes
    DiscardAction icmp
  }
}
IpAddr one
{
  # @host gateway
  Addr 192.0.2.1
}
IpAddrSet branch
{
  Range 10.0.0.5-10.0.0.9
}
IpAddrGroup ours
{
  IpAddrRef one
  IpAddrSet
  {
    Prefix 2001:db8::/32
  }
  IpAddr
  {
    Addr 192.0.2.2
  }
}
IpServiceGroup post
{
  IpServiceRef smtp
  IpService
  {
    Protocol Tcp
    DestinationPortRange 587
  }
}
IpService smtp
{
  Protocol 6
  DestinationPortRange 25:26
  Direction Outbound OutboundConnect
}
IpTimeCondition office
{
  ConditionTimeRange 20260101000000:20291231240000
  MonthOfYearMask 111111111110
  DayOfWeekMask 0111110
  TimeOfDayRange 08:00-12:00 13:00-17:30
}
IpGenericFilterAction permit
{
  IpFilterAction permit
}
";

#[test]
fn groups_sets_times_and_references_reach_the_model() {
    let policy = good(GROUPS);
    let set = &policy.rule_set;
    let s = set.settings();
    assert!(!s.logging && s.log_implicit && s.pre_decap && s.fips140);
    assert_eq!(s.implicit_discard, Discard::Icmp);
    let [mail, ping, last] = set.rules() else {
        panic!("{:?}", set.rules())
    };
    assert_eq!(mail.group.as_deref(), Some("servers"));
    assert_eq!(mail.source.group_name(), Some("ours"));
    assert_eq!(mail.source.as_slice().len(), 3);
    let branch = mail.destination.as_slice()[0];
    assert_eq!(branch.to_string(), "10.0.0.5-10.0.0.9");
    let [smtp, submission] = mail.services.as_slice() else {
        panic!("{mail:?}")
    };
    assert_eq!(smtp.upper, Upper::tcp(25..=26));
    let way = (smtp.direction, smtp.connect);
    assert_eq!(way, (RuleDirection::Outbound, Connect::Outbound));
    assert_eq!(submission.upper, Upper::tcp(587..=587));
    let [office, ends] = &mail.times[..] else {
        panic!("{mail:?}")
    };
    assert_eq!((office.months, office.weekdays), (0x7ff, 0b0011_1110));
    assert_eq!(office.times.len(), 2);
    assert_eq!(office.times[1].ends(), (13 * 60, 17 * 60 + 30));
    let (from, to) = office.range.unwrap();
    assert_eq!(
        (from.digits(), to.digits()),
        (20260101000000, 20300101000000)
    );
    assert_eq!(
        (ends.days, ends.days_from_end, ends.zone),
        (1, 1, Zone::Utc)
    );
    assert_eq!(ping.group.as_deref(), Some("servers"));
    let [echo, ospf, mobility] = ping.services.as_slice() else {
        panic!("{ping:?}")
    };
    let icmp = Upper::Icmp {
        protocol: 1,
        types: 8..=8,
        codes: 0..=0,
    };
    assert_eq!(echo.upper, icmp);
    let typed = |protocol, types| Upper::Type { protocol, types };
    assert_eq!(ospf.upper, typed(89, 1..=3));
    assert_eq!(mobility.upper, typed(135, 5..=5));
    assert_eq!(last.group, None);
    let service = &last.services.as_slice()[0];
    assert_eq!(
        (service.routing, service.security_class),
        (RuleRouting::Either, 7)
    );
    assert_eq!((last.action, last.discard), (Action::Deny, Discard::Icmp));
    assert_eq!(last.logging, Logging::Yes);
}

#[test]
fn zero_and_whole_ranges_ask_for_nothing() {
    let upper = |body: &str| {
        let policy = good(&one_service(body));
        policy.rule_set.rules()[0].services.as_slice()[0]
            .upper
            .clone()
    };
    for body in [
        "Protocol tcp\nSourcePortRange 0\nDestinationPortRange 0",
        "Protocol tcp\nSourcePortRange 0 65535",
        "Protocol tcp",
    ] {
        assert_eq!(upper(body), Upper::Protocol(6), "{body}");
    }
    assert_eq!(upper("Protocol all\nSourcePortRange 0"), Upper::Any);
    assert_eq!(upper("Protocol Opaque\nRouting Routed"), Upper::Opaque);
    assert_eq!(upper(""), Upper::Any);
}

#[test]
fn what_does_not_go_together_is_one_error() {
    let action = |line: &str| one_rule("").replace("IpFilterAction permit", line);
    let gold = "IpDynVpnAction Gold\n{\n  IpDataOffer\n  {\n  }\n}\nIpFilterPolicy";
    let vpn = |rule: &str| rule.replacen("IpFilterPolicy", gold, 1);
    for (text, code) in [
        (
            one_service("Protocol udp\nDirection inbound InboundConnect"),
            "P0306",
        ),
        (
            one_service("Direction bidirectional InboundConnect"),
            "P0306",
        ),
        (one_service("Protocol icmp\nSourcePortRange 80"), "P0304"),
        (one_service("DestinationPortRange 80"), "P0304"),
        (one_service("Protocol tcp\nType 8"), "P0304"),
        (one_service("Protocol ospf\nType 1\nCode 2"), "P0304"),
        (one_service("Protocol icmp\nCode 1"), "P0305"),
        (one_service("Protocol icmp\nType 1 3\nCode 1"), "P0305"),
        (
            one_service("Protocol tcp\nDestinationPortRange 80\nRouting either"),
            "P0307",
        ),
        (
            one_service("Protocol icmpv6\nType 128\nRouting routed"),
            "P0307",
        ),
        (
            one_rule("  IpSourceAddr 192.0.2.1\n  IpDestAddr 2001:db8::1"),
            "P0303",
        ),
        (one_rule("  IpSourceAddr All6\n  IpDestAddr All4"), "P0303"),
        (vpn(&one_rule("  IpDynVpnActionRef Gold")), "P0310"),
        (
            action("IpFilterAction permit\n  IpFilterLogging LogDeny"),
            "P0312",
        ),
        (action("IpFilterAction IpSec"), "P0308"),
        (
            one_rule("  IpTimeCondition\n  {\n  TimeOfDayRange 08:00-08:00\n  }"),
            "P0314",
        ),
    ] {
        let (made, told) = compiled(&text);
        assert!(made.is_none(), "{text}");
        assert_eq!(told.len(), 1, "{text}\n{told:?}");
        assert!(told[0].contains(code), "{text}\n{told:?}");
    }
    assert_eq!(codes(PERMIT), ["P0301"]);
}

#[test]
fn a_shared_mistake_is_told_once() {
    let rule = |name: &str| {
        format!("IpFilterRule {name}\n{{\nIpServiceRef s\nIpGenericFilterActionRef permit\n}}\n")
    };
    let text = format!(
        "IpFilterPolicy\n{{\nIpFilterRuleRef a\nIpFilterRuleRef b\n}}\n{}{}
IpService s
{{
  Protocol tcp
  Type 3
}}
IpGenericFilterAction permit
{{
  IpFilterAction permit
  IpFilterLogging LogPermit
}}
",
        rule("a"),
        rule("b")
    );
    assert_eq!(codes(&text), ["P0304", "P0312"]);
}

#[test]
fn rules_that_decide_nothing_are_warned_of() {
    let rule = |name: &str, body: &str| {
        format!("IpFilterRule {name}\n{{\n{body}\n  IpGenericFilterActionRef permit\n}}\n")
    };
    let list = "IpFilterPolicy\n{\n  IpFilterRuleRef wide\n  IpFilterRuleRef narrow\n  \
                IpFilterRuleRef wide\n}\n";
    let wide = rule("wide", "  IpSourceAddr 10.0.0.0/8");
    let narrow = rule("narrow", "  IpSourceAddr 10.1.0.0/16");
    let (made, told) = compiled(&format!("{list}{wide}{narrow}{PERMIT}"));
    assert_eq!(
        made.unwrap().rule_set.rules().len(),
        3,
        "warnings do not stop it"
    );
    assert_eq!(
        told,
        [
            "7:14: P0321 rule wide is listed twice",
            "12:14: P0321 rule narrow decides nothing: wide before it matches all its packets"
        ]
    );
    let time = |body: &str| one_rule(&format!("  IpTimeCondition\n  {{\n{body}\n  }}"));
    let february_30 =
        "MonthOfYearMask 010000000000\nDayOfMonthMask 0000000000000000000000000000011";
    let discard = "IpFilterAction permit\n  DiscardAction ICMP";
    for (text, code) in [
        (one_rule("  IpSourceAddr 10.0.0.1/24"), "P0323"),
        (
            one_rule("").replace("IpFilterAction permit", discard),
            "P0324",
        ),
        (
            one_rule("  IpSourceAddr ::1\n  IpService\n  {\n  Protocol icmp\n  }"),
            "P0325",
        ),
        (
            one_rule("  IpSourceAddr All4\n  IpService\n  {\n  Protocol opaque\n  }"),
            "P0322",
        ),
        (time(february_30), "P0322"),
        (
            EXAMPLE.replace("  IpFilterRuleRef       IkeTraffic\n", ""),
            "P0326",
        ),
    ] {
        let (made, told) = compiled(&text);
        assert!(made.is_some(), "{text}\n{told:?}");
        assert!(told.iter().any(|t| t.contains(code)), "{text}\n{told:?}");
    }
    let past = time("ConditionTimeRange 20200101000000:20200102000000");
    assert_eq!(codes(&past), [""; 0]);
    let now = Options::default().now(UnixTime::from_secs(1_800_000_000), &());
    let (_, told) = compiled_with(&past, &now);
    assert_eq!(told, ["5:14: P0322 rule r matches no packet"]);
}

#[test]
fn expansion_is_bounded() {
    let mut group = String::from("IpAddrGroup many\n{\n");
    for n in 0..200 {
        group += &format!("  IpAddr\n  {{\n    Addr 192.0.2.{n}\n  }}\n");
    }
    group += "}\n";
    let ends = "  IpSourceAddrGroupRef many\n  IpDestAddrGroupRef many";
    let text = one_rule(ends) + &group;
    let most = |n| Options::default().most_filters(n);
    let (made, told) = compiled_with(&text, &most(80_000));
    assert_eq!((made.is_some(), told.len()), (true, 0), "{told:?}");
    let (made, told) = compiled_with(&text, &most(79_999));
    assert!(made.is_none());
    let expected = "5:14: P0313 the rules expand to more than 79999 simple filters";
    assert_eq!(told, [expected]);
    // A list of groups is one list: it is not copied beyond the bound.
    let mut group = String::from("IpServiceGroup many\n{\n");
    group += &"  IpServiceRef s\n".repeat(1_000);
    group += "}\nIpService s\n{\n}\n";
    let list = "  IpServiceGroupRef many\n".repeat(1_000);
    let (made, told) = compiled_with(&(one_rule(&list) + &group), &most(10_000));
    assert!(made.is_none());
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("P0313"), "{told:?}");
    // Nor does a group of rules go on beyond it.
    let rules = format!(
        "IpFilterPolicy\n{{\n  IpFilterGroupRef G\n}}\nIpFilterGroup G\n{{\n{}}}\n\
         IpFilterRule R\n{{\n  IpServiceGroupRef many\n  IpServiceGroupRef many\n  \
         IpGenericFilterActionRef permit\n}}\n{PERMIT}{group}",
        "  IpFilterRuleRef R\n".repeat(1_000)
    );
    let mut told = Vec::new();
    let memory = allocation_counter::measure(|| told = compiled_with(&rules, &most(10_000)).1);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(memory.bytes_max < 4 << 20, "{}", memory.bytes_max);
    // Times count as well.
    let text = format!(
        "IpFilterPolicy\n{{\n{}}}\nIpFilterRule R\n{{\n{}  IpGenericFilterActionRef permit\n}}\n\
         IpTimeCondition T\n{{\n}}\n{PERMIT}",
        "  IpFilterRuleRef R\n".repeat(1_000),
        "  IpTimeConditionRef T\n".repeat(1_000)
    );
    let memory = allocation_counter::measure(|| told = compiled_with(&text, &most(10_000)).1);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(memory.bytes_max < 4 << 20, "{}", memory.bytes_max);
}

#[test]
fn a_rule_listed_often_is_wrong_once() {
    let text = format!(
        "IpFilterPolicy\n{{\n  IpFilterRuleRef R\n  IpFilterRuleRef R\n}}\n\
         IpFilterRule R\n{{\n  IpSourceAddr 192.0.2.1\n  IpDestAddr 2001:db8::1\n  \
         IpGenericFilterActionRef permit\n}}\n{PERMIT}"
    );
    assert_eq!(codes(&text), ["P0303"]);
}

#[test]
fn what_was_read_with_errors_is_not_compiled_wherever_they_were_told() {
    let text = format!(
        "IpFilterPolicy\n{{\n  IpFilterRuleRef Denny\n  IpFilterRuleRef All\n}}\n\
         IpFilterRule All\n{{\n  IpGenericFilterActionRef permit\n}}\n{PERMIT}"
    );
    let language = Language::full().unwrap();
    let mut sources = Sources::new();
    sources.add("policy.conf", text.as_bytes()).unwrap();
    let policy = Policy::read(&language, &sources, &mut Diagnostics::default());
    assert!(policy.has_errors());
    let mut out = Diagnostics::default();
    assert!(compile(&policy, &Options::default(), &mut out).is_none());
    assert!(!out.has_errors());
}

#[test]
fn an_empty_group_is_one_mistake() {
    let text = format!(
        "IpFilterPolicy\n{{\n  IpFilterRuleRef R\n}}\n\
         IpFilterRule R\n{{\n  IpSourceAddr 192.0.2.1\n  IpDestAddrGroupRef G\n  \
         IpGenericFilterActionRef permit\n}}\nIpAddrGroup G\n{{\n}}\n{PERMIT}"
    );
    assert_eq!(codes(&text), ["P0206"]);
}
