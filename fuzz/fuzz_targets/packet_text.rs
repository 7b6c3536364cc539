//! Arbitrary texts read as packets: what is read is explained as it is decided.

#![no_main]

use std::sync::LazyLock;

use hostward::filter::{
    Action, Connect, InForce, PacketText, Question, Rule, RuleDirection, RuleRouting, RuleSet,
    Upper,
};
use libfuzzer_sys::fuzz_target;

static RULES: LazyLock<RuleSet> = LazyLock::new(|| {
    let tcp = Rule::new("tcp", Action::Permit).upper(Upper::tcp(1..=80));
    let rules = vec![
        tcp.clone().connect(Connect::Inbound),
        tcp.direction(RuleDirection::Inbound)
            .routing(RuleRouting::Either),
        Rule::new("fragments", Action::Deny).fragments_only(),
        Rule::new("opaque", Action::Deny).upper(Upper::Opaque),
        Rule::new("ping", Action::Permit).upper(Upper::Icmp {
            protocol: 1,
            types: 8..=8,
            codes: 0..=255,
        }),
    ];
    RuleSet::new(rules, 1)
});

fuzz_target!(|text: &str| {
    match text.parse::<PacketText>() {
        Err(error) => {
            assert!(text.contains(&error.word));
            assert!(!error.to_string().is_empty());
        }
        Ok(packet) => {
            let everything = InForce::default();
            let said = RULES.explain(&packet.selectors, &everything);
            let found = RULES.scan(&packet.selectors, &everything);
            assert_eq!(
                said.decided_by().map(|t| t.position),
                found.map(|(at, _)| at)
            );
            if let Some(quoted) = packet.quoted {
                assert_ne!(quoted.direction, packet.selectors.direction);
                assert_eq!(quoted.source, packet.selectors.destination);
                let asked = Question::from(packet.selectors).quoting(quoted);
                let said = RULES.explain(asked, &everything);
                assert!(said.excused_by.is_none(), "no rule demands a tunnel");
            }
            let fast = RULES.first_match(&packet.selectors, &everything);
            assert_eq!(fast.map(|(at, _)| at), found.map(|(at, _)| at));
        }
    }
});
