//! The `IPSEC` block of a TCP/IP profile.
#![cfg(feature = "filter")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use hostward_filter::{
    Action, AddressSpec, Connect, Logging, Origin, RuleDirection, RuleRouting, Upper,
};
use hostward_policy::profile::{Profile, WORDS};
use hostward_policy::{Diagnostics, Sources};

fn read(text: &str) -> (Option<Profile>, Vec<String>) {
    let mut sources = Sources::new();
    let id = sources.add("profile", text.as_bytes()).unwrap();
    let mut out = Diagnostics::default();
    let profile = Profile::read(&sources, id, &mut out);
    let told = out.iter().map(|d| {
        let place = sources.location(d.primary.span);
        format!("{}:{}: {} {}", place.line, place.column, d.code, d.message)
    });
    (profile, told.collect())
}

fn good(text: &str) -> Profile {
    let (profile, told) = read(text);
    assert_eq!(told, Vec::<String>::new());
    profile.unwrap()
}

#[test]
fn a_block_becomes_default_rules() {
    let profile = good(
        "; a profile has much else in it
IPCONFIG DATAGRAMFWD IPSECURITY SYSPLEXROUTING
IPCONFIG6 IPSECURITY
PORT 21 TCP OMVS ; IPSEC is not this
IPSEC DVIPSEC LOGENABLE LOGIMPLICIT
  IPSECRULE  192.0.2.1 * NOLOG PROTOCOL TCP SRCPORT 22 DIRECTION BIDIRECTIONAL INBCONNECT
  IPSECR 10.0.0.0/8 10.1.0.1 - 10.1.0.9 ; abbreviated, range with blanks
     LOG PROTO UDP SRCP * DEST 1024 65535 DIREC INB
  ipsecrule * 198.51.100.5-198.51.100.7 protocol 1 type 8 code 0 secclass 9
  IPSECRULE * * PROTOCOL * ROUTING EITHER FRAGMENTS
  IPSEC6RULE 2001:db8::/32 * PROTO ICMPV6 TYPE 128 129
  IPSEC6RULE * * PROTO OPAQUE ROUTING ROUTED
  IPSEC6RULE ::1 ::1 PROTO MIPV6 TYPE 5 DIREC OUTBOUND
  IPSECRULE * * PROTO OSPF
ENDIPSEC
HOME 192.0.2.1 LINK1
",
    );
    assert!(profile.dvipsec && !profile.dvlocalfltr);
    assert!(profile.settings.logging && profile.settings.log_implicit);
    let service = |n: usize| &profile.rules[n].services.as_slice()[0];
    let ends = |n: usize| {
        let r = &profile.rules[n];
        let (s, d) = (r.source.as_slice(), r.destination.as_slice());
        format!("{} {}", s[0], d[0])
    };
    assert_eq!(ends(0), "192.0.2.1/32 All4");
    let ssh = Upper::Ports {
        protocol: 6,
        source: 22..=22,
        destination: 0..=65_535,
    };
    assert_eq!(
        (&service(0).upper, service(0).connect),
        (&ssh, Connect::Inbound)
    );
    assert_eq!(profile.rules[0].logging, Logging::No);
    assert_eq!(ends(1), "10.0.0.0/8 10.1.0.1-10.1.0.9");
    assert_eq!(service(1).upper, Upper::udp(1024..=65_535));
    assert_eq!(service(1).direction, RuleDirection::Inbound);
    assert_eq!(profile.rules[1].logging, Logging::Yes);
    assert_eq!(ends(2), "All4 198.51.100.5-198.51.100.7");
    let echo = Upper::Icmp {
        protocol: 1,
        types: 8..=8,
        codes: 0..=0,
    };
    assert_eq!((&service(2).upper, service(2).security_class), (&echo, 9));
    assert_eq!(service(3).upper, Upper::Any);
    assert_eq!(
        (service(3).routing, service(3).fragments_only),
        (RuleRouting::Either, true)
    );
    assert_eq!(
        profile.rules[4].destination.as_slice(),
        [AddressSpec::AnyV6]
    );
    assert_eq!(service(5).upper, Upper::Opaque);
    let mobility = Upper::Type {
        protocol: 135,
        types: 5..=5,
    };
    assert_eq!(service(6).upper, mobility);
    assert_eq!(service(7).upper, Upper::Protocol(89));
    let set = profile.rule_set(4);
    assert_eq!((set.origin(), set.generation()), (Origin::Profile, 4));
    assert_eq!(&*set.rules()[7].name, "SYSDEFAULTRULE.8");
    assert!(set.rules().iter().all(|r| r.action == Action::Permit));
}

#[test]
fn an_empty_block_logs_nothing_and_permits_nothing() {
    let profile = good("IPSEC ENDIPSEC");
    assert!(profile.rules.is_empty());
    assert!(!profile.settings.logging && !profile.settings.log_implicit);
}

#[test]
fn mistakes_are_told_where_they_are() {
    let rule = |r: &str| format!("IPSEC\n{r}\nIPSECRULE 192.0.2.1 *\nENDIPSEC\n");
    for (text, expected) in [
        (
            rule("IPSECRULE 192.0.2.1"),
            "2:20: P0116 the rule is not complete",
        ),
        (
            rule("IPSECRULE * all"),
            "2:13: P0117 `all` is no address here",
        ),
        // An IPv4 rule is not a way to permit IPv6.
        (
            rule("IPSECRULE ALL6 ALL6"),
            "2:11: P0117 `ALL6` is no address here",
        ),
        (rule("IPSECRULE * 10.0.0.1/33"), "2:13: P0117"),
        // Of two the wider one would win.
        (
            rule("IPSECRULE * * PROTO TCP SRCPORT 22 SRCPORT 80"),
            "2:36: P0132 `SRCPORT` is given twice",
        ),
        (
            rule("IPSECRULE * * PROTO TCP SRCPORT 22 PROTO UDP"),
            "2:36: P0132 `PROTOcol` is given twice",
        ),
        (
            rule("IPSECRULE * * SECCLASS 1 SECCLASS 0"),
            "2:26: P0132 `SECCLASS` is given twice",
        ),
        (
            "IPSEC LOGDISABLE LOGENABLE\nENDIPSEC\n".into(),
            "1:18: P0132 `LOGENable | LOGDISable` is given twice",
        ),
        (rule("IPSECRULE * 10.0.0.9 - 10.0.0.1"), "2:13: P0117"),
        (rule("IPSECRULE * ::1"), "2:13: P0122"),
        (rule("IPSEC6RULE 10.0.0.0/8 *"), "2:12: P0122"),
        (rule("IPSECRULE * * PROTO SCTP"), "2:21: P0117"),
        (rule("IPSECRULE * * PROTO TCP SRCPORT 0"), "2:33: P0119"),
        (rule("IPSECRULE * * PROTO TCP SRCPORT 90 80"), "2:33: P0120"),
        (rule("IPSECRULE * * PROTO TCP TYPE 8"), "2:25: P0304"),
        (rule("IPSECRULE * * PROTO ICMP CODE 8"), "2:32: P0305"),
        (
            rule("IPSECRULE * * PROTO UDP DIREC INB INBCONNECT"),
            "2:35: P0306",
        ),
        (
            rule("IPSECRULE * * PROTO TCP SRCP 9 ROUTING ROUTED"),
            "2:46: P0307",
        ),
        (
            rule("IPSECRULE * * ROUTING LOCAL FRAGMENTSONLY"),
            "2:29: P0117",
        ),
        (rule("IPSECRULE * * ROUTING AROUND"), "2:23: P0118"),
        (rule("IPSECRULE * * SECCLASS 256"), "2:24: P0119"),
        (rule("IPSECRULE * * ROUTING LOCAL LOG"), "2:29: P0132"),
        (rule("IPSECRULE * * LOGG"), "2:15: P0110"),
        (rule("IPSECRULES * *"), "2:1: P0110"),
        ("IPSEC LOGIMPLICIT LOGENABLE ENDIPSEC".into(), "1:19: P0132"),
        ("IPSEC\nIPSECRULE * *\n".into(), "1:1: P0105"),
        ("PORT 21\n".into(), "1:8: P0131"),
    ] {
        let (profile, told) = read(&text);
        assert_eq!(profile, None, "{text}");
        assert_eq!(told.len(), 1, "{text}\n{told:?}");
        assert!(told[0].starts_with(expected), "{text}\n{told:?}");
    }
    for (text, expected) in [
        ("IPCONFIG DATAGRAMFWD IPSEC ENDIPSEC", "1:22: P0134"),
        ("IPSEC ENDIPSEC\nIPSEC IPSECRULE * * ENDIPSEC", "2:1: P0133"),
    ] {
        let (profile, told) = read(text);
        assert!(profile.is_some_and(|p| p.rules.is_empty()));
        assert!(told.len() == 1 && told[0].starts_with(expected), "{told:?}");
    }
}

#[test]
fn every_mistake_is_told_in_one_run() {
    let text = "IPSEC\nIPSECRULE x *\nIPSECRULE * y\nIPSECRULE * * LOGG\nENDIPSEC";
    assert_eq!(read(text).1.len(), 3);
}

#[test]
fn abbreviations_do_not_collide() {
    for (i, a) in WORDS.iter().enumerate() {
        assert!(a.is(a.name) && a.is(&a.name.to_lowercase()));
        let shortest: String = a.name.chars().take_while(|c| !c.is_lowercase()).collect();
        let taken = WORDS.iter().take(i).find(|b| b.is(&shortest));
        assert!(taken.is_none(), "{shortest}: {taken:?}");
    }
}

#[test]
fn the_reference_page_is_current() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/formats/profile-ipsec.md"
    );
    let page = hostward_policy::profile::page();
    if std::env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
        std::fs::write(file, &page).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        found == page,
        "docs/formats/profile-ipsec.md: UPDATE_DOCS=1 writes it"
    );
}
