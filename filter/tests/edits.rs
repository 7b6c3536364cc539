//! Edits of a rule set say what the edited set says when it is compiled anew.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test may panic"
)]

use std::sync::Arc;

use hostward_filter::{
    Action, EditError, Edits, Filter, Header, Opening, Rule, RuleDirection, RuleSet, Selectors,
    TimeCondition, Upper,
};
use hostward_hook::meta::{Direction, Routing};
use hostward_hook::time::UnixTime;

fn packet(port: u16, direction: Direction) -> Selectors {
    Selectors {
        source: [10, 0, 0, 1].into(),
        destination: [10, 0, 0, 2].into(),
        protocol: Some(6),
        header: Header::Ports(9, port),
        fragment: false,
        opening: Opening::Continues,
        direction,
        routing: Routing::Local,
        security_class: 0,
    }
}

fn rule(
    u: &mut arbtest::arbitrary::Unstructured<'_>,
    name: String,
) -> arbtest::arbitrary::Result<Rule> {
    let low = u.int_in_range(0..=9)?;
    let high = u.int_in_range(low..=9)?;
    let rule = Rule::new(name, Action::Permit).upper(Upper::tcp(low..=high));
    Ok(if u.arbitrary()? {
        rule.direction(RuleDirection::Inbound)
    } else {
        rule.direction(RuleDirection::Outbound)
    })
}

#[test]
fn edits_equal_the_edited_set() {
    arbtest::arbtest(|u| {
        let mut rules = Vec::new();
        for n in 0..u.int_in_range(0..=60)? {
            rules.push(rule(u, format!("r{n}"))?);
        }
        let set = Arc::new(RuleSet::new(rules, 1));
        let mut edits = Edits::default();
        for n in 0..u.int_in_range(0..=20)? {
            let position = u.int_in_range(0..=set.rules().len())?;
            edits = if u.arbitrary()? {
                edits
                    .insert(&set, position, rule(u, format!("a{n}"))?)
                    .unwrap()
            } else if position < set.rules().len() {
                edits.remove(&set, position).unwrap()
            } else {
                edits
            };
        }
        let anew = set.with_edits(&edits, 2).unwrap();
        let mut filter = Filter::new(Arc::clone(&set));
        filter.edit(Arc::new(edits)).unwrap();
        for port in 0..=10 {
            for direction in [Direction::Inbound, Direction::Outbound] {
                let p = packet(port, direction);
                let edited = filter.first_match(&p, UnixTime::EPOCH);
                let edited = edited.map(|(id, r)| (id, r.name.to_string()));
                let expected = anew.scan(&p, &anew.in_force(UnixTime::EPOCH, &()));
                let expected = expected.map(|(_, r)| r.name.to_string());
                assert_eq!(
                    edited.as_ref().map(|e| e.1.clone()),
                    expected,
                    "{port} {direction:?}"
                );
                if let Some((id, name)) = edited {
                    assert_eq!(&*filter.rule(id).unwrap().name, name);
                }
            }
        }
        filter.install(Arc::new(anew));
        assert!(filter.edits().is_empty());
        Ok(())
    })
    .size_min(1_024)
    .budget_ms(1_500)
    .run();
}

#[test]
fn what_cannot_be_edited_is_refused() {
    let set = RuleSet::new(vec![Rule::new("r", Action::Permit)], 1);
    let r = || Rule::new("a", Action::Deny);
    let out = |position| EditError::Position { position, count: 1 };
    assert_eq!(Edits::default().insert(&set, 2, r()), Err(out(2)));
    assert_eq!(Edits::default().remove(&set, 1), Err(out(1)));
    let timed = r().during(TimeCondition::default());
    assert_eq!(
        Edits::default().insert(&set, 0, timed),
        Err(EditError::Timed)
    );
    let mut edits = Edits::default();
    for _ in 0..Edits::MOST {
        edits = edits.insert(&set, 0, r()).unwrap();
    }
    assert_eq!(edits.clone().insert(&set, 0, r()), Err(EditError::TooMany));
    // Taking the same rule out twice is taking it out once.
    let edits = edits.remove(&set, 0).unwrap().remove(&set, 0).unwrap();
    assert_eq!(edits.removed().count(), 1);
    assert_eq!(
        EditError::TooMany.to_string(),
        "64 edits are the most: compile the rule set anew"
    );
}

#[test]
fn edits_of_another_set_are_refused() {
    let deny = |name: &'static str| Rule::new(name, Action::Deny).direction(RuleDirection::Inbound);
    let permit = || Rule::new("all", Action::Permit);
    let old = Arc::new(RuleSet::new(vec![deny("obsolete"), permit()], 1));
    let new = Arc::new(RuleSet::new(vec![deny("wanted"), permit()], 2));
    let edits = Arc::new(Edits::default().remove(&old, 0).unwrap());
    let mut filter = Filter::new(Arc::clone(&old));
    filter.install(Arc::clone(&new));
    let refused = Err(EditError::OtherSet { generation: 2 });
    // In the new set that position is a rule that nobody took out.
    assert_eq!(filter.edit(Arc::clone(&edits)), refused);
    assert!(filter.edits().is_empty());
    let p = packet(80, Direction::Inbound);
    let name = |f: &mut Filter| {
        f.first_match(&p, UnixTime::EPOCH)
            .unwrap()
            .1
            .name
            .to_string()
    };
    assert_eq!(name(&mut filter), "wanted");
    assert_eq!(
        new.with_edits(&edits, 3),
        refused.map(|()| RuleSet::default())
    );
    assert_eq!(
        Edits::clone(&edits).insert(&new, 0, permit()),
        refused.map(|()| Edits::default())
    );
    assert_eq!(
        Edits::clone(&edits).remove(&new, 0),
        refused.map(|()| Edits::default())
    );
    // No edits belong to every set.
    assert_eq!(filter.edit(Arc::default()), Ok(()));
    filter.install(old);
    assert_eq!(filter.edit(edits), Ok(()));
    assert_eq!(name(&mut filter), "all");
}

#[test]
fn edits_of_the_table_that_waits_wait_with_it() {
    let policy = Arc::new(RuleSet::new(vec![Rule::new("all", Action::Permit)], 1));
    let defaults = vec![Rule::new("", Action::Permit), Rule::new("", Action::Permit)];
    let defaults = Arc::new(RuleSet::defaults(defaults, 0));
    let mut filter = Filter::new(Arc::clone(&policy)).defaults(Arc::clone(&defaults));
    let p = packet(80, Direction::Inbound);
    let name = |f: &mut Filter| {
        let found = f.first_match(&p, UnixTime::EPOCH);
        found.map(|(_, r)| r.name.to_string())
    };
    filter.use_defaults(true);
    let edits = Edits::default().remove(&policy, 0).unwrap();
    assert_eq!(filter.edit(Arc::new(edits)), Ok(()));
    assert_eq!(name(&mut filter).as_deref(), Some("SYSDEFAULTRULE.1"));
    filter.use_defaults(false);
    assert_eq!(name(&mut filter), None);
    let edits = Edits::default().remove(&defaults, 0).unwrap();
    assert_eq!(filter.edit(Arc::new(edits)), Ok(()));
    assert_eq!(name(&mut filter), None);
    filter.use_defaults(true);
    assert_eq!(name(&mut filter).as_deref(), Some("SYSDEFAULTRULE.2"));
}
