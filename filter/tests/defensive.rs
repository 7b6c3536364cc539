//! Defensive filters: the manager, what workers do with its tables, and the store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hostward_filter::defensive::{
    Answer, Changes, Damage, Defense, DefenseConfig, DefenseError, DefensiveDirection,
    DefensiveFilter, DefensiveMode, FileStore, MemoryStore, Request, Selection, StackMode, Store,
    Target, decode,
};
use hostward_filter::{
    Action, AddressSpec, DEFENSIVE_BLOCKED, DEFENSIVE_OVERFULL, DefenseEvent, DefensiveMatch,
    Filter, Rule, RuleRouting, RuleSet, ServiceError, Suppressed, Upper,
};
use hostward_hook::action::Cx;
use hostward_hook::event::{Class, Event, EventQueue, EventSink};
use hostward_hook::meta::{Meta, Point, Routing};
use hostward_hook::time::{Instant, Now, UnixTime};
use hostward_hook::{Packet, PacketFilter, Timers, Verdict};

/// What was told, in short.
#[derive(Default)]
struct Told(Vec<String>);

impl EventSink for Told {
    fn wants(&self, _: Class) -> bool {
        true
    }

    fn emit(&mut self, e: &Event<'_>) {
        let any = e.detail.as_any().expect("a type of its own");
        self.0
            .push(if let Some(d) = any.downcast_ref::<DefenseEvent>() {
                let stack = d.stack.as_deref().unwrap_or("*ALL*");
                format!("{stack} {:?} {}.{}", d.happened, d.filter.name, d.extension)
            } else if let Some(d) = any.downcast_ref::<DefensiveMatch>() {
                format!("{:?} {}.{}", d.mode, d.filter.name, d.extension)
            } else if let Some(d) = any.downcast_ref::<Suppressed>() {
                format!("suppressed {} of {}", d.count, d.filter.name)
            } else {
                format!("{:?}", e.code)
            });
    }
}

fn at(minutes: u64) -> Now {
    // The two clocks have nothing to do with each other.
    Now::new(
        Instant::from_secs(5_000 + minutes * 60),
        UnixTime::from_secs(1_790_000_000 + minutes * 60),
    )
}

fn configured(stacks: &[(&str, DefenseConfig)]) -> Defense {
    let mut defense = Defense::new();
    let configs: BTreeMap<Arc<str>, _> = stacks
        .iter()
        .map(|(n, c)| (Arc::from(*n), c.clone()))
        .collect();
    let answer = defense.handle(Request::Refresh(configs), at(0), &mut ());
    assert_eq!(answer, Ok(Answer::Done));
    defense
}

fn one() -> Defense {
    configured(&[("A", DefenseConfig::default())])
}

fn on(stack: &str) -> Target {
    Target::Stack(stack.into())
}

fn add(
    d: &mut Defense,
    target: Target,
    filter: DefensiveFilter,
    now: Now,
) -> Result<Answer, DefenseError> {
    d.handle(Request::Add { target, filter }, now, &mut ())
}

fn names(d: &mut Defense, target: Target, now: Now) -> Vec<String> {
    let selection = Selection::All;
    let display = Request::Display { target, selection };
    match d.handle(display, now, &mut ()).unwrap() {
        Answer::Filters(list) => list
            .iter()
            .map(|f| format!("{}.{}", f.filter.name, f.extension))
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn spec(s: &str) -> AddressSpec {
    s.parse().unwrap()
}

fn syn(source: [u8; 4]) -> Vec<u8> {
    let mut p = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0];
    p.extend(source);
    p.extend([192, 0, 2, 1]);
    p.extend([
        0xc0, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0,
    ]);
    p
}

fn permit_all() -> Filter {
    let mut rule = Rule::new("all", Action::Permit);
    rule = rule.routing(RuleRouting::Either);
    Filter::new(Arc::new(RuleSet::new(vec![rule], 1)))
}

fn worker(defense: &Defense, now: Now) -> Filter {
    let mut filter = permit_all();
    filter.install_defensive(defense.table("A").unwrap(), now, &mut ());
    filter
}

fn decide(filter: &mut Filter, bytes: &[u8], now: Now, told: &mut Told) -> Verdict {
    let meta = Meta::new(Point::LocalIn, now);
    filter.decide(
        &mut Cx::new(now, told, &mut ()),
        &Packet::parse(bytes, meta),
        None,
    )
}

#[test]
fn a_filter_goes_in_front_of_the_rules_and_away_on_time() {
    let mut defense = one();
    let bad = DefensiveFilter::new("bad")
        .source(spec("198.51.100.0/24"))
        .lifetime(10);
    assert!(add(&mut defense, on("A"), bad, at(0)).is_ok());
    let mut filter = worker(&defense, at(0));
    let mut told = Told::default();
    let blocked = Verdict::Drop(DEFENSIVE_BLOCKED);
    assert_eq!(
        decide(&mut filter, &syn([198, 51, 100, 7]), at(0), &mut told),
        blocked
    );
    assert_eq!(
        decide(&mut filter, &syn([198, 51, 101, 7]), at(0), &mut told),
        Verdict::Continue
    );
    assert_eq!(told.0, ["Block bad.1"]);
    assert_eq!(
        filter.defensive_counts().map(|c| c.1).collect::<Vec<_>>(),
        [1]
    );
    // On time even when nobody brings a new table.
    let mut before = at(10);
    before.mono = Instant::from_micros(before.mono.as_micros() - 1);
    assert_eq!(
        decide(&mut filter, &syn([198, 51, 100, 7]), before, &mut told),
        blocked
    );
    assert_eq!(
        decide(&mut filter, &syn([198, 51, 100, 7]), at(10), &mut told),
        Verdict::Continue
    );
    assert_eq!(defense.next_deadline(), Some(at(10).mono));
    let mut told = Told::default();
    defense.handle_deadline(at(10), &mut told);
    assert_eq!(told.0, ["A Expired bad.1"]);
    assert!(defense.table("A").unwrap().is_empty());
    assert_eq!(defense.next_deadline(), None);
}

#[test]
fn the_newest_filter_comes_first_and_simulation_goes_on() {
    let mut defense = one();
    let net = || spec("198.51.100.0/24");
    let simulate = |name: &str| {
        DefensiveFilter::new(name)
            .source(net())
            .mode(DefensiveMode::Simulate)
            .log(false, None)
    };
    add(
        &mut defense,
        on("A"),
        DefensiveFilter::new("block").source(net()),
        at(0),
    )
    .unwrap();
    add(&mut defense, on("A"), simulate("s1"), at(0)).unwrap();
    add(&mut defense, on("A"), simulate("s2"), at(0)).unwrap();
    assert_eq!(
        names(&mut defense, on("A"), at(0)),
        ["s2.1", "s1.1", "block.1"]
    );
    let mut filter = worker(&defense, at(0));
    let mut told = Told::default();
    let packet = syn([198, 51, 100, 7]);
    // One simulated match a packet is told, and an older filter still blocks.
    assert_eq!(
        decide(&mut filter, &packet, at(0), &mut told),
        Verdict::Drop(DEFENSIVE_BLOCKED)
    );
    assert_eq!(told.0, ["Simulate s2.1", "Block block.1"]);
    // In a stack that simulates nothing blocks.
    let mut simulating = config();
    simulating.mode = StackMode::Simulate;
    let refresh = Request::Refresh([("A".into(), simulating)].into());
    defense.handle(refresh, at(0), &mut ()).unwrap();
    let mut filter = worker(&defense, at(0));
    assert_eq!(
        decide(&mut filter, &packet, at(0), &mut Told::default()),
        Verdict::Continue
    );
}

fn config() -> DefenseConfig {
    DefenseConfig::default()
}

#[test]
fn exclusions_protect_the_administrator() {
    let mut c = config();
    c.exclude = vec![spec("198.51.100.7"), spec("2001:db8::/64")];
    let mut defense = configured(&[("A", c)]);
    add(&mut defense, on("A"), DefensiveFilter::new("all"), at(0)).unwrap();
    let mut filter = worker(&defense, at(0));
    let mut ask = |source| decide(&mut filter, &syn(source), at(0), &mut Told::default());
    assert_eq!(ask([198, 51, 100, 7]), Verdict::Continue);
    assert_eq!(ask([198, 51, 100, 8]), Verdict::Drop(DEFENSIVE_BLOCKED));
    let mut too_many = config();
    too_many.exclude = vec![spec("10.0.0.1"); 11];
    let refresh = Request::Refresh([("A".into(), too_many)].into());
    assert_eq!(
        defense.handle(refresh, at(0), &mut ()),
        Err(DefenseError::Exclusions { count: 11 })
    );
}

#[test]
fn selectors_direction_routing_and_fragments() {
    let mut defense = one();
    let f = DefensiveFilter::new("f");
    let cases = [
        (f.clone().upper(Upper::tcp(80..=80)), true),
        (f.clone().upper(Upper::tcp(81..=81)), false),
        (f.clone().upper(Upper::Protocol(17)), false),
        (f.clone().destination(spec("192.0.2.0/24")), true),
        (f.clone().direction(DefensiveDirection::Outbound), false),
        (f.clone().direction(DefensiveDirection::Both), true),
        (f.clone().routing(RuleRouting::Routed), false),
        (f.clone().routing(RuleRouting::Either), true),
        (f.clone().fragments_only(), false),
    ];
    for (filter, blocks) in cases {
        add(&mut defense, on("A"), filter.clone(), at(0)).unwrap();
        let mut w = worker(&defense, at(0));
        let verdict = decide(&mut w, &syn([10, 0, 0, 9]), at(0), &mut Told::default());
        assert_eq!(verdict.is_refused(), blocks, "{filter:?}");
        // Source and destination are the packet's in both directions.
        let out = Meta::new(Point::LocalOut, at(0));
        let routed = Meta::new(Point::Forward, at(0)).with_routing(Routing::Routed);
        let bytes = syn([10, 0, 0, 9]);
        let mut ask = |meta| {
            let packet = Packet::parse(&bytes, meta);
            let verdict = w.decide(&mut Cx::new(at(0), &mut (), &mut ()), &packet, None);
            verdict.is_refused()
        };
        let both = matches!(
            filter.direction,
            DefensiveDirection::Both | DefensiveDirection::Outbound
        );
        assert_eq!(ask(out), both, "{filter:?}");
        assert_eq!(
            ask(routed),
            filter.routing != RuleRouting::Local,
            "{filter:?}"
        );
        let all = Request::Delete {
            target: on("A"),
            selection: Selection::All,
        };
        assert_eq!(defense.handle(all, at(0), &mut ()), Ok(Answer::Deleted(1)));
    }
    // A fragment is refused before it is put together; what only simulates is told for the whole.
    let simulate = f.clone().mode(DefensiveMode::Simulate);
    add(&mut defense, on("A"), f.clone().fragments_only(), at(0)).unwrap();
    add(&mut defense, on("A"), simulate, at(0)).unwrap();
    let mut w = worker(&defense, at(0));
    let mut part = syn([10, 0, 0, 9]);
    part[6] = 0x20;
    let packet = Packet::parse(&part, Meta::new(Point::LocalIn, at(0)));
    let mut told = Told::default();
    let verdict = w.decide_fragment(&mut Cx::new(at(0), &mut told, &mut ()), &packet);
    assert_eq!(verdict, Verdict::Drop(DEFENSIVE_BLOCKED));
    assert_eq!(told.0, ["Block f.1"]);
}

#[test]
fn global_filters_are_on_every_stack_and_on_those_that_start_later() {
    let mut defense = configured(&[("A", config()), ("B", config())]);
    let mut told = Told::default();
    let request = Request::Add {
        target: Target::Global,
        filter: DefensiveFilter::new("g"),
    };
    defense.handle(request, at(0), &mut told).unwrap();
    assert_eq!(told.0, ["*ALL* Added g.1", "A Added g.1", "B Added g.1"]);
    add(&mut defense, on("B"), DefensiveFilter::new("b"), at(1)).unwrap();
    let configs = ["A", "B", "C"].map(|n| (Arc::from(n), config()));
    let refresh = Request::Refresh(configs.into());
    defense.handle(refresh, at(2), &mut ()).unwrap();
    assert_eq!(names(&mut defense, on("C"), at(2)), ["g.1"]);
    assert_eq!(names(&mut defense, on("B"), at(2)), ["b.1", "g.1"]);
    // An update of one stack changes its copy only.
    let update = |target| Request::Update {
        target,
        selection: Selection::name("g"),
        changes: Changes::default()
            .mode(DefensiveMode::Simulate)
            .lifetime(60),
    };
    assert_eq!(
        defense.handle(update(on("A")), at(3), &mut ()),
        Ok(Answer::Updated(1))
    );
    let modes =
        |d: &Defense| ["A", "B", "C"].map(|s| d.table(s).unwrap().entries().last().unwrap().mode);
    assert_eq!(
        modes(&defense),
        [
            DefensiveMode::Simulate,
            DefensiveMode::Block,
            DefensiveMode::Block
        ]
    );
    assert_eq!(
        defense.table("A").unwrap().entries()[0].expires,
        at(63).mono
    );
    defense
        .handle(update(Target::Global), at(3), &mut ())
        .unwrap();
    assert_eq!(modes(&defense), [DefensiveMode::Simulate; 3]);
    let display = Request::Display {
        target: Target::Global,
        selection: Selection::All,
    };
    let Answer::Filters(list) = defense.handle(display, at(3), &mut ()).unwrap() else {
        panic!()
    };
    assert_eq!((list[0].stacks, list[0].matches), (Some(3), None));
    let delete = Request::Delete {
        target: Target::Global,
        selection: Selection::name("g"),
    };
    assert_eq!(
        defense.handle(delete, at(3), &mut ()),
        Ok(Answer::Deleted(1))
    );
    assert_eq!(names(&mut defense, on("A"), at(3)), [""; 0]);
    assert_eq!(names(&mut defense, on("B"), at(3)), ["b.1"]);
}

#[test]
fn inactive_stacks_have_none_and_unnamed_ones_keep_theirs() {
    let mut defense = configured(&[("A", config()), ("B", config())]);
    for stack in ["A", "B"] {
        add(&mut defense, on(stack), DefensiveFilter::new("f"), at(0)).unwrap();
    }
    defense
        .handle(Request::ForceInactive("A".into()), at(0), &mut ())
        .unwrap();
    assert!(defense.table("A").unwrap().is_empty());
    assert_eq!(
        add(&mut defense, on("A"), DefensiveFilter::new("f"), at(0)),
        Err(DefenseError::Inactive("A".into()))
    );
    // The next refresh overrides it.
    let refresh = Request::Refresh([("A".into(), config())].into());
    defense.handle(refresh, at(0), &mut ()).unwrap();
    assert!(add(&mut defense, on("A"), DefensiveFilter::new("f"), at(0)).is_ok());
    // B is not named any more: its filter lives on, new ones are refused.
    assert_eq!(defense.table("B").unwrap().entries().len(), 1);
    assert_eq!(
        add(&mut defense, on("B"), DefensiveFilter::new("f"), at(0)),
        Err(DefenseError::UnknownStack("B".into()))
    );
    defense.handle_deadline(at(30), &mut ());
    assert!(defense.table("B").unwrap().is_empty());
}

#[test]
fn what_is_out_of_range_is_refused_and_changes_nothing() {
    let mut c = config();
    c.max_lifetime = 60;
    c.max_filters = 2;
    let mut defense = configured(&[("A", c)]);
    let f = || DefensiveFilter::new("f");
    #[expect(clippy::reversed_empty_ranges, reason = "that is the point")]
    let backwards = f().upper(Upper::tcp(9..=1));
    let code = Upper::Icmp {
        protocol: 1,
        types: 0..=255,
        codes: 1..=1,
    };
    for (filter, error) in [
        (
            f().lifetime(61),
            DefenseError::Lifetime {
                minutes: 61,
                max: 60,
            },
        ),
        (
            f().lifetime(0),
            DefenseError::Lifetime {
                minutes: 0,
                max: 20_160,
            },
        ),
        (
            f().log(true, Some(10_000)),
            DefenseError::LogLimit { limit: 10_000 },
        ),
        (DefensiveFilter::new(""), DefenseError::Name(String::new())),
        (DefensiveFilter::new("-x"), DefenseError::Name("-x".into())),
        (
            DefensiveFilter::new("a,b"),
            DefenseError::Name("a,b".into()),
        ),
        (
            DefensiveFilter::new("x".repeat(33)),
            DefenseError::Name("x".repeat(33)),
        ),
        (backwards, ServiceError::EmptyRange.into()),
        (f().upper(code), ServiceError::CodeWithoutType.into()),
        (
            f().routing(RuleRouting::Either).upper(Upper::tcp(80..=80)),
            ServiceError::RoutedSelectors.into(),
        ),
    ] {
        assert_eq!(add(&mut defense, on("A"), filter, at(0)), Err(error));
    }
    let mixed = f().source(spec("10.0.0.1")).destination(spec("::1"));
    let error = add(&mut defense, on("A"), mixed, at(0)).unwrap_err();
    assert!(
        error.to_string().contains("different IP versions"),
        "{error}"
    );
    assert!(add(&mut defense, on("B"), f(), at(0)).is_err());
    assert_eq!(names(&mut defense, on("A"), at(0)), [""; 0]);
    add(&mut defense, on("A"), f(), at(0)).unwrap();
    add(&mut defense, on("A"), f(), at(0)).unwrap();
    let full = DefenseError::Full {
        stack: "A".into(),
        max: 2,
    };
    assert_eq!(add(&mut defense, on("A"), f(), at(0)), Err(full.clone()));
    assert_eq!(add(&mut defense, Target::Global, f(), at(0)), Err(full));
    assert_eq!(names(&mut defense, on("A"), at(0)), ["f.2", "f.1"]);
    assert_eq!(names(&mut defense, Target::Global, at(0)), [""; 0]);
    let update = Request::Update {
        target: on("A"),
        selection: Selection::name("f"),
        changes: Changes::default().lifetime(61),
    };
    assert!(defense.handle(update, at(0), &mut ()).is_err());
    let missing = Request::Delete {
        target: on("A"),
        selection: Selection::name("g"),
    };
    assert_eq!(
        defense.handle(missing, at(0), &mut ()),
        Err(DefenseError::UnknownFilter("g".into()))
    );
}

/// A stack that is not named any more keeps what it was told last: filters that only simulated do
/// not begin to block, and nobody who was excluded is blocked.
#[test]
fn a_stack_that_is_not_named_any_more_keeps_mode_and_exclusions() {
    let mut simulating = config();
    simulating.mode = StackMode::Simulate;
    let mut excluding = config();
    excluding.exclude = vec![spec("10.0.0.9")];
    let mut defense = configured(&[("A", simulating), ("B", excluding.clone())]);
    for stack in ["A", "B"] {
        add(&mut defense, on(stack), DefensiveFilter::new("f"), at(0)).unwrap();
    }
    let before = ["A", "B"].map(|s| defense.table(s).unwrap());
    let refresh = |stacks: &[(&str, DefenseConfig)]| {
        let stacks = stacks.iter().map(|(n, c)| (Arc::from(*n), c.clone()));
        Request::Refresh(stacks.collect())
    };
    defense.handle(refresh(&[]), at(1), &mut ()).unwrap();
    for (stack, before) in ["A", "B"].into_iter().zip(before) {
        let after = defense.table(stack).unwrap();
        assert_eq!(after.entries(), before.entries());
        assert_eq!(after.exclusions(), before.exclusions());
        assert_eq!(after.mode(), before.mode());
        assert_eq!(
            add(&mut defense, on(stack), DefensiveFilter::new("g"), at(1)),
            Err(DefenseError::UnknownStack(stack.into()))
        );
    }
    // Filters for all stacks do not come to it, until it is named again.
    add(
        &mut defense,
        Target::Global,
        DefensiveFilter::new("g"),
        at(1),
    )
    .unwrap();
    assert_eq!(names(&mut defense, on("B"), at(1)), ["f.2"]);
    defense
        .handle(refresh(&[("B", excluding)]), at(1), &mut ())
        .unwrap();
    assert_eq!(names(&mut defense, on("B"), at(1)), ["g.1", "f.2"]);
}

/// A bound never takes protection away: what was saved, and what is for all stacks, is in force
/// beyond it, and that is told. New filters wait until there is room.
#[test]
fn what_was_saved_is_in_force_beyond_a_lower_bound() {
    let bounded = |most| {
        let mut c = config();
        c.max_filters = most;
        c
    };
    let mut defense = configured(&[("A", bounded(4))]);
    let mut store = MemoryStore::default();
    for n in 0..4 {
        let name = format!("f{n}");
        add(&mut defense, on("A"), DefensiveFilter::new(name), at(0)).unwrap();
    }
    defense.persist(&mut store).unwrap();
    let mut again = configured(&[("A", bounded(2))]);
    let mut lines = EventQueue::new(9);
    assert_eq!(again.restore(&mut store, at(1), &mut lines).unwrap(), []);
    assert_eq!(names(&mut again, on("A"), at(1)).len(), 4);
    assert_eq!(again.table("A").unwrap().entries().len(), 4);
    let over: Vec<_> = again
        .overfull()
        .map(|o| (o.stack, o.count, o.max))
        .collect();
    assert_eq!(over, [("A".into(), 4, 2)]);
    let codes: Vec<_> = lines.iter().map(|e| e.code).collect();
    assert_eq!(codes, [DEFENSIVE_OVERFULL]);
    let full = DefenseError::Full {
        stack: "A".into(),
        max: 2,
    };
    let more = |defense: &mut Defense| {
        add(defense, on("A"), DefensiveFilter::new("more"), at(1)).map(|_| ())
    };
    assert_eq!(more(&mut again), Err(full.clone()));
    for name in ["f0", "f1"] {
        let delete = Request::Delete {
            target: on("A"),
            selection: Selection::name(name),
        };
        again.handle(delete, at(1), &mut ()).unwrap();
        assert_eq!(more(&mut again), Err(full.clone()));
    }
    assert_eq!(again.overfull().count(), 0);
    let delete = Request::Delete {
        target: on("A"),
        selection: Selection::name("f2"),
    };
    again.handle(delete, at(1), &mut ()).unwrap();
    assert_eq!(more(&mut again), Ok(()));
}

#[test]
fn filters_for_all_stacks_come_to_a_stack_that_is_full() {
    let mut c = config();
    c.max_filters = 1;
    let mut defense = configured(&[("A", c.clone())]);
    add(
        &mut defense,
        Target::Global,
        DefensiveFilter::new("g"),
        at(0),
    )
    .unwrap();
    add(&mut defense, on("A"), DefensiveFilter::new("f"), at(0)).unwrap_err();
    let mut wide = c.clone();
    wide.max_filters = 9;
    let refresh = |a: &DefenseConfig, b: &DefenseConfig| {
        let stacks = [("A".into(), a.clone()), ("B".into(), b.clone())];
        Request::Refresh(stacks.into())
    };
    defense.handle(refresh(&wide, &c), at(0), &mut ()).unwrap();
    add(&mut defense, on("A"), DefensiveFilter::new("f"), at(0)).unwrap();
    let mut inactive = c.clone();
    inactive.mode = StackMode::Inactive;
    defense
        .handle(refresh(&wide, &inactive), at(0), &mut ())
        .unwrap();
    for name in ["g2", "g3"] {
        add(
            &mut defense,
            Target::Global,
            DefensiveFilter::new(name),
            at(0),
        )
        .unwrap();
    }
    let mut lines = EventQueue::new(9);
    defense
        .handle(refresh(&wide, &c), at(0), &mut lines)
        .unwrap();
    assert_eq!(names(&mut defense, on("B"), at(0)), ["g3.1", "g2.1", "g.1"]);
    assert_eq!(defense.overfull().count(), 1);
    assert_eq!(
        lines
            .iter()
            .filter(|e| e.code == DEFENSIVE_OVERFULL)
            .count(),
        1
    );
}

#[test]
fn log_limits_suppress_and_count() {
    let mut c = config();
    c.default_log_limit = 3;
    let mut defense = configured(&[("A", c)]);
    add(&mut defense, on("A"), DefensiveFilter::new("f"), at(0)).unwrap();
    let mut filter = worker(&defense, at(0));
    let mut told = Told::default();
    let packet = syn([10, 0, 0, 9]);
    for _ in 0..10 {
        assert!(decide(&mut filter, &packet, at(0), &mut told).is_refused());
    }
    assert_eq!(told.0, ["Block f.1"; 3]);
    assert_eq!(filter.next_deadline(), Some(at(5).mono));
    let mut told = Told::default();
    filter.handle_deadline(&mut Cx::new(at(5), &mut told, &mut ()));
    assert_eq!(told.0, ["suppressed 7 of f"]);
    assert_eq!(filter.next_deadline(), None);
    for _ in 0..10 {
        let _ = decide(&mut filter, &packet, at(5), &mut Told::default());
    }
    // Counts stay when another filter comes, what was suppressed is told when this one goes.
    add(
        &mut defense,
        on("A"),
        DefensiveFilter::new("g").source(spec("10.9.9.9")),
        at(5),
    )
    .unwrap();
    filter.install_defensive(defense.table("A").unwrap(), at(5), &mut ());
    assert_eq!(
        filter.defensive_counts().map(|c| c.1).collect::<Vec<_>>(),
        [0, 20]
    );
    for (id, n) in filter.defensive_counts() {
        defense.count("A", id, n);
    }
    let display = Request::Display {
        target: on("A"),
        selection: Selection::name("f"),
    };
    let Answer::Filters(list) = defense.handle(display, at(5), &mut ()).unwrap() else {
        panic!()
    };
    assert_eq!(list[0].matches, Some(20));
    let delete = Request::Delete {
        target: on("A"),
        selection: Selection::name("f"),
    };
    defense.handle(delete, at(5), &mut ()).unwrap();
    let mut told = Told::default();
    filter.install_defensive(defense.table("A").unwrap(), at(5), &mut told);
    assert_eq!(told.0, ["suppressed 7 of f"]);
}

/// Filters of every shape, on two stacks and global.
fn populated() -> Defense {
    let mut defense = configured(&[("A", config()), ("B", config())]);
    let f = DefensiveFilter::new;
    let icmp = Upper::Icmp {
        protocol: 58,
        types: 128..=129,
        codes: 0..=255,
    };
    let hello = Upper::Type {
        protocol: 89,
        types: 1..=1,
    };
    for filter in [
        f("scan")
            .source(spec("198.51.100.0/24"))
            .upper(Upper::tcp(22..=23)),
        f("range")
            .source(spec("10.0.0.1-10.0.0.9"))
            .log(false, Some(9)),
        f("v6")
            .source(spec("2001:db8::/32"))
            .destination(spec("All6"))
            .upper(icmp),
        f("ospf").upper(hello).mode(DefensiveMode::Simulate),
        f("esp")
            .upper(Upper::Protocol(50))
            .routing(RuleRouting::Either)
            .fragments_only(),
        f("opaque")
            .upper(Upper::Opaque)
            .direction(DefensiveDirection::Both)
            .lifetime(1_440),
    ] {
        add(&mut defense, on("A"), filter, at(0)).unwrap();
    }
    add(
        &mut defense,
        Target::Global,
        f("everywhere").source(spec("203.0.113.9")),
        at(1),
    )
    .unwrap();
    add(
        &mut defense,
        on("B"),
        f("scan").direction(DefensiveDirection::Outbound),
        at(2),
    )
    .unwrap();
    defense
}

fn restored(store: &mut dyn Store, now: Now) -> (Defense, Vec<Damage>) {
    let mut defense = configured(&[("A", config()), ("B", config())]);
    let damage = defense.restore(store, now, &mut ()).unwrap();
    (defense, damage)
}

fn all(d: &mut Defense, now: Now) -> Vec<Vec<String>> {
    [on("A"), on("B"), Target::Global]
        .map(|t| names(d, t, now))
        .to_vec()
}

#[test]
fn what_was_saved_is_in_force_after_a_restart() {
    let mut defense = populated();
    let mut store = MemoryStore::default();
    defense.persist(&mut store).unwrap();
    let (mut again, damage) = restored(&mut store, at(20));
    assert_eq!(damage, []);
    assert_eq!(all(&mut again, at(20)), all(&mut defense, at(20)));
    let shown = |d: &mut Defense| {
        let display = Request::Display {
            target: on("A"),
            selection: Selection::All,
        };
        d.handle(display, at(20), &mut ()).unwrap()
    };
    assert_eq!(shown(&mut again), shown(&mut defense));
    // The remaining life counts, on another monotonic clock too.
    let mut later = at(25);
    later.mono = Instant::from_secs(7);
    let (again, _) = restored(&mut store, later);
    let table = again.table("A").unwrap();
    let scan = table
        .entries()
        .iter()
        .find(|e| &*e.filter.name == "scan")
        .unwrap();
    assert_eq!(scan.expires, Instant::from_secs(7 + 5 * 60));
    // After their time they are not put in force.
    let (mut again, _) = restored(&mut store, at(100));
    assert_eq!(all(&mut again, at(100)), [vec!["opaque.1"], vec![], vec![]]);
    // A clock that was set back does not make them live longer than they were made for.
    let mut early = at(0);
    early.wall = UnixTime::EPOCH;
    let (again, _) = restored(&mut store, early);
    let most = early.mono.saturating_add(Duration::from_secs(1_440 * 60));
    assert!(
        again
            .table("A")
            .unwrap()
            .entries()
            .iter()
            .all(|e| e.expires <= most)
    );
    // New filters get new numbers.
    let (mut again, _) = restored(&mut store, at(3));
    add(&mut again, on("A"), DefensiveFilter::new("scan"), at(3)).unwrap();
    assert_eq!(names(&mut again, on("A"), at(3))[0], "scan.3");
    // Nothing saved is nothing to restore, and no damage.
    let (_, damage) = restored(&mut MemoryStore::default(), at(0));
    assert_eq!(damage, []);
    // Inactive stacks lose theirs, also what was saved.
    let mut defense = configured(&[("B", config())]);
    let mut inactive = config();
    inactive.mode = StackMode::Inactive;
    let configs = [("A".into(), inactive), ("B".into(), config())];
    defense
        .handle(Request::Refresh(configs.into()), at(3), &mut ())
        .unwrap();
    assert_eq!(defense.restore(&mut store, at(3), &mut ()).unwrap(), []);
    assert!(defense.table("A").unwrap().is_empty());
    assert_eq!(defense.table("B").unwrap().entries().len(), 2);
}

#[test]
fn a_configuration_alone_does_not_empty_the_store() {
    let mut before = populated();
    let mut store = MemoryStore::default();
    before.persist(&mut store).unwrap();
    let saved = store.clone();
    let mut defense = configured(&[("A", config()), ("B", config())]);
    defense.persist(&mut store).unwrap();
    assert_eq!(store, saved);
    defense.restore(&mut store, at(20), &mut ()).unwrap();
    assert_eq!(all(&mut defense, at(20)), all(&mut before, at(20)));
    // What a configuration changes of the filters is saved: a stack that starts has those of all.
    let stacks = ["A", "B", "C"].map(|n| (Arc::from(n), config()));
    let refresh = Request::Refresh(stacks.into());
    defense.handle(refresh, at(20), &mut ()).unwrap();
    assert!(!defense.table("C").unwrap().is_empty());
    let saved = store.clone();
    defense.persist(&mut store).unwrap();
    assert_ne!(store, saved);
}

/// A saved text with filters of stack A: their numbers and names.
fn saved(filters: impl Iterator<Item = (u64, String)>) -> MemoryStore {
    let mut text = String::from("hostward defensive filters 1\n");
    let mut count = 0;
    for (id, name) in filters {
        let line = format!(
            "stack=A id={id} ext=1 global=no created=0 updated=0 expires={} source=All \
             destination=All upper=any fragments=no direction=in routing=local mode=block log=no \
             lifetime=30 name={name}",
            u64::MAX
        );
        let sum = crc32fast::hash(line.as_bytes());
        text.push_str(&format!("{sum:08x} {line}\n"));
        count += 1;
    }
    text.push_str(&format!("end {count}\n"));
    MemoryStore(Some(text.into_bytes()))
}

#[test]
fn the_greatest_number_is_no_filter_and_leaves_room_for_new_ones() {
    let names_of = [(u64::MAX, "last".into()), (7, "seven".into())];
    let (mut defense, damage) = restored(&mut saved(names_of.into_iter()), at(0));
    assert!(matches!(damage[..], [Damage::Line { line: 2, .. }]));
    add(&mut defense, on("A"), DefensiveFilter::new("new"), at(0)).unwrap();
    assert_eq!(names(&mut defense, on("A"), at(0)), ["new.1", "seven.1"]);
}

#[test]
fn a_very_long_text_is_taken_in_within_a_moment() {
    let many = (1..=60_000_u64).map(|n| (n, format!("n{n}")));
    let (defense, damage) = restored(&mut saved(many.clone()), at(0));
    assert!(damage.is_empty());
    let table = defense.table("A").unwrap();
    assert_eq!(table.entries().len(), 60_000);
    assert_eq!(&*table.entries()[0].filter.name, "n60000");
    // Twice the same number is one filter, the one that came first.
    let twice = many.take(3).chain([(2, "again".into())]);
    let (mut defense, _) = restored(&mut saved(twice), at(0));
    assert_eq!(
        names(&mut defense, on("A"), at(0)),
        ["n3.1", "n2.1", "n1.1"]
    );
}

#[test]
fn damage_is_reported_and_takes_only_itself_away() {
    let mut store = MemoryStore::default();
    populated().persist(&mut store).unwrap();
    let whole = store.0.clone().unwrap();
    let (mut intact, _) = restored(&mut store, at(3));
    let count = |d: &mut Defense| all(d, at(3)).iter().map(Vec::len).sum::<usize>();
    let everything = count(&mut intact);
    // Cut off anywhere: never silently, and every whole line is in force.
    for length in 0..whole.len() {
        let part = whole[..length].to_vec();
        let lines = part.iter().filter(|b| **b == b'\n').count();
        let (mut half, damage) = restored(&mut MemoryStore(Some(part)), at(3));
        let without_last_newline = length == whole.len() - 1;
        assert_eq!(damage.is_empty(), without_last_newline, "{length}");
        assert!(
            count(&mut half) >= lines.saturating_sub(1).min(everything),
            "{length}"
        );
    }
    // Any bit turned over: the same.
    for at_byte in 0..whole.len() {
        for bit in [0, 3, 7] {
            let mut bad = whole.clone();
            bad[at_byte] ^= 1 << bit;
            let (mut half, damage) = restored(&mut MemoryStore(Some(bad)), at(3));
            assert_ne!(damage, [], "byte {at_byte} bit {bit}");
            assert!(
                count(&mut half) + 3 > everything,
                "byte {at_byte} bit {bit}"
            );
        }
    }
    let (records, damage) = decode(b"garbage\n\xff\xfe\n\n0 x\n");
    assert!(records.is_empty());
    let told: Vec<_> = damage.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "line 1: expected `hostward defensive filters 1`",
            "line 2: its checksum is wrong",
            "line 4: its checksum is wrong",
            "the text is cut off: expected a last line `end 2` behind 2 filters"
        ]
    );
}

#[test]
fn a_file_survives_a_crash_between_any_two_steps() {
    let folder = std::env::temp_dir().join(format!("hostward-defensive-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("filters");
    let mut store = FileStore::new(&path);
    assert_eq!(store.load(), Ok(None));
    let mut defense = populated();
    defense.persist(&mut store).unwrap();
    let old = std::fs::read(&path).unwrap();
    // Unchanged, nothing is written.
    std::fs::remove_file(&path).unwrap();
    defense.persist(&mut store).unwrap();
    assert!(!path.exists());
    std::fs::write(&path, &old).unwrap();
    // A crash while the new text is written leaves a part of it beside the old one.
    add(&mut defense, on("A"), DefensiveFilter::new("new"), at(3)).unwrap();
    let beside = folder.join("filters.new");
    for length in [0, 1, old.len() / 2] {
        std::fs::write(&beside, &old[..length]).unwrap();
        let (mut again, damage) = restored(&mut store, at(3));
        assert_eq!(damage, []);
        assert_eq!(names(&mut again, on("A"), at(3)).len(), 7);
    }
    // After it, what a crash left is overwritten.
    defense.persist(&mut store).unwrap();
    let (mut again, damage) = restored(&mut store, at(3));
    assert_eq!(
        (damage.len(), names(&mut again, on("A"), at(3)).len()),
        (0, 8)
    );
    assert!(!beside.exists());
    // A store that fails is told, the filters stay, and the next call tries again.
    add(&mut defense, on("A"), DefensiveFilter::new("more"), at(3)).unwrap();
    let mut broken = FileStore::new(folder.join("missing").join("filters"));
    let error = defense.persist(&mut broken).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cannot write the defensive filters"),
        "{error}"
    );
    assert_eq!(names(&mut defense, on("A"), at(3)).len(), 9);
    defense.persist(&mut store).unwrap();
    assert_eq!(
        names(&mut restored(&mut store, at(3)).0, on("A"), at(3)).len(),
        9
    );
    std::fs::remove_dir_all(&folder).unwrap();
}
