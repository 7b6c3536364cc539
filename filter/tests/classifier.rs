//! The compiled classifier answers like a scan in order: on made-up sets of awkward shapes, and on
//! the sets of the folder that `HOSTWARD_RULES` names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use arbtest::arbitrary::{Result, Unstructured};
use arbtest::arbtest;
use hostward_filter::classifier::{
    Address, Classifier, Found, Full, HIDDEN_NUMBERS, HIDDEN_PROTOCOL, Key, NONE, Overlay, Pattern,
    Protocol, Service,
};

mod sets;
mod shapes;

/// What the generator needs of an address type.
trait Made: Address {
    fn from_words(high: u64, low: u64) -> Self;
    /// All addresses that share the first `len` of `self`'s bits (counted in quarters of the
    /// width, so that both families meet the same shapes).
    fn prefix(self, len: u32) -> (Self, Self);
    fn near(self, step: i8) -> Self;
}

impl Made for u32 {
    fn from_words(high: u64, _: u64) -> Self {
        (high >> 32) as u32
    }
    fn prefix(self, len: u32) -> (Self, Self) {
        let host = u32::MAX.checked_shr(len).unwrap_or(0);
        (self & !host, self | host)
    }
    fn near(self, step: i8) -> Self {
        self.wrapping_add_signed(step.into())
    }
}

impl Made for u128 {
    fn from_words(high: u64, low: u64) -> Self {
        u128::from(high) << 64 | u128::from(low)
    }
    fn prefix(self, len: u32) -> (Self, Self) {
        let host = u128::MAX.checked_shr(len * 4).unwrap_or(0);
        (self & !host, self | host)
    }
    fn near(self, step: i8) -> Self {
        self.wrapping_add_signed(step.into())
    }
}

/// How a set is made: each kind stresses another part of the compiler.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// A bit of everything.
    Mixed,
    /// Ranges that cut across each other in all fields.
    Overlapping,
    /// Only one field is asked for.
    OneField(u8),
    /// One prefix length on both sides.
    OneLength(u32),
    /// Hosts anywhere.
    Hosts,
    /// Ranges of ports on every rule, addresses of a few networks.
    Ports,
}

const SHAPES: [Shape; 10] = [
    Shape::Mixed,
    Shape::Overlapping,
    Shape::OneField(0),
    Shape::OneField(1),
    Shape::OneField(2),
    Shape::OneField(3),
    Shape::OneField(4),
    Shape::OneLength(13),
    Shape::Hosts,
    Shape::Ports,
];

/// Addresses: mostly from a few networks, so that rules meet.
fn address<A: Made>(u: &mut Unstructured<'_>) -> Result<A> {
    if u.ratio(1, 6)? {
        return Ok(A::from_words(u.arbitrary()?, u.arbitrary()?));
    }
    let network = u64::from(u.int_in_range(0..=5u8)?) * 0x2a01_3355_7799_bbdd;
    let host = u64::from(u.int_in_range(0..=15u8)?) * 0x0001_0101_0000_0000;
    let low = u64::from(u.int_in_range(0..=3u8)?) * 0x1111_0000_0000_1111;
    Ok(A::from_words(network ^ host, low))
}

fn addresses<A: Made>(u: &mut Unstructured<'_>) -> Result<(A, A)> {
    let a: A = address(u)?;
    Ok(match u.int_in_range(0..=5u8)? {
        0 => (A::MIN, A::MAX),
        1 => {
            let b = address(u)?;
            (a.min(b), a.max(b))
        }
        2 => (a, a),
        _ => a.prefix(u.int_in_range(0..=32)?),
    })
}

fn numbers(u: &mut Unstructured<'_>) -> Result<(u16, u16)> {
    let a: u16 = u.arbitrary()?;
    Ok(match u.int_in_range(0..=5u8)? {
        0 | 1 => (0, u16::MAX),
        2 => (a, a),
        3 => (a % 8, a % 8),
        4 => (1024, u16::MAX),
        _ => {
            let b = u.arbitrary()?;
            (a.min(b), a.max(b))
        }
    })
}

fn protocol(u: &mut Unstructured<'_>) -> Result<Protocol> {
    Ok(match u.int_in_range(0..=6u8)? {
        0 | 1 => Protocol::Any,
        2 => Protocol::Opaque,
        3 => Protocol::Is(u.arbitrary()?),
        4 => Protocol::Is(17),
        _ => Protocol::Is(6),
    })
}

fn pattern<A: Made>(u: &mut Unstructured<'_>, shape: Shape) -> Result<Pattern<A>> {
    let mut p = Pattern::ANY;
    match shape {
        Shape::Mixed => {
            p.source = addresses(u)?;
            p.destination = addresses(u)?;
            p.service = Service {
                protocol: protocol(u)?,
                a: numbers(u)?,
                b: numbers(u)?,
                environments: if u.ratio(1, 2)? {
                    u128::MAX
                } else {
                    u.arbitrary()?
                },
                class: if u.ratio(2, 3)? {
                    0
                } else {
                    u.int_in_range(0..=3)?
                },
            };
            // Nothing fits an empty range; the compiler must leave it out without harm.
            if u.ratio(1, 30)? {
                p.service.a = (9, 8);
            }
        }
        Shape::Overlapping => {
            let (a, b) = (
                A::from_words(u.arbitrary()?, 0),
                A::from_words(u.arbitrary()?, 0),
            );
            p.source = (a.min(b), a.max(b));
            let (a, b) = (
                A::from_words(u.arbitrary()?, 0),
                A::from_words(u.arbitrary()?, 0),
            );
            p.destination = (a.min(b), a.max(b));
            let (a, b): (u16, u16) = (u.arbitrary()?, u.arbitrary()?);
            p.service.a = (a.min(b), a.max(b));
            let (a, b): (u16, u16) = (u.arbitrary()?, u.arbitrary()?);
            p.service.b = (a.min(b), a.max(b));
        }
        Shape::OneField(0) => p.source = addresses(u)?,
        Shape::OneField(1) => p.destination = addresses(u)?,
        Shape::OneField(2) => p.service.a = numbers(u)?,
        Shape::OneField(3) => p.service.b = numbers(u)?,
        Shape::OneField(_) => p.service.protocol = protocol(u)?,
        Shape::OneLength(len) => {
            p.source = address::<A>(u)?.prefix(len);
            p.destination = address::<A>(u)?.prefix(len);
        }
        Shape::Hosts => {
            let a = A::from_words(u.arbitrary()?, u.arbitrary()?);
            let b = A::from_words(u.arbitrary()?, u.arbitrary()?);
            (p.source, p.destination) = ((a, a), (b, b));
        }
        Shape::Ports => {
            p.source = addresses(u)?;
            p.destination = address::<A>(u)?.prefix(u.int_in_range(0..=32)?);
            let (a, b): (u16, u16) = (u.arbitrary()?, u.arbitrary()?);
            p.service.a = (a.min(b), a.max(b));
            let (a, b): (u16, u16) = (u.arbitrary()?, u.arbitrary()?);
            p.service.b = (a.min(b), a.max(b));
            p.service.protocol = Protocol::Is(if u.arbitrary()? { 6 } else { 17 });
        }
    }
    Ok(p)
}

/// A key at a corner of a rule's box or one step beside it, or anywhere.
fn key<A: Made>(u: &mut Unstructured<'_>, patterns: &[Pattern<A>]) -> Result<Key<A>> {
    let step = |u: &mut Unstructured<'_>| -> Result<i8> { u.int_in_range(-1..=1) };
    let mut key = Key {
        source: address(u)?,
        destination: address(u)?,
        a: u.arbitrary()?,
        b: u.arbitrary()?,
        protocol: *u.choose(&[6, 17, 1, 0, 255])?,
        environment: u.int_in_range(0..=140)?,
        class: u.int_in_range(0..=3)?,
        hidden: 0,
    };
    if let Some(p) = patterns.get(u.choose_index(patterns.len().max(1))?)
        && u.ratio(4, 5)?
    {
        let pick = |u: &mut Unstructured<'_>, (low, high): (A, A)| -> Result<A> {
            Ok(if u.arbitrary()? { low } else { high })
        };
        key.source = pick(u, p.source)?.near(step(u)?);
        key.destination = pick(u, p.destination)?.near(step(u)?);
        let ends = |u: &mut Unstructured<'_>, (low, high): (u16, u16)| -> Result<u16> {
            let end = if u.arbitrary()? { low } else { high };
            Ok(end.wrapping_add_signed(step(u)?.into()))
        };
        key.a = ends(u, p.service.a)?;
        key.b = ends(u, p.service.b)?;
        if let Protocol::Is(n) = p.service.protocol {
            key.protocol = n;
        }
    }
    if u.ratio(1, 10)? {
        key.hidden = *u.choose(&[
            HIDDEN_NUMBERS,
            HIDDEN_PROTOCOL,
            HIDDEN_NUMBERS | HIDDEN_PROTOCOL,
        ])?;
    }
    Ok(key)
}

fn scan<A: Made>(patterns: &[Pattern<A>], key: &Key<A>) -> Option<u32> {
    patterns
        .iter()
        .position(|p| p.matches(key))
        .map(|n| n as u32)
}

/// The classifier with every set of instructions that this machine has.
fn levels<A: Address>(classifier: Classifier<A>) -> Vec<Classifier<A>> {
    let mut levels = vec![classifier];
    while let Some(last) = levels.last()
        && last.kernel() != "portable"
    {
        levels.push(last.clone().narrower());
    }
    levels
}

fn compare<A: Made>(u: &mut Unstructured<'_>, shape: Shape, rules: usize) -> Result<()> {
    let patterns = (0..rules)
        .map(|_| pattern::<A>(u, shape))
        .collect::<Result<Vec<_>>>()?;
    let keys = (0..150)
        .map(|_| key::<A>(u, &patterns))
        .collect::<Result<Vec<_>>>()?;
    let classifier = Classifier::new(patterns.clone());
    let expect: Vec<Option<u32>> = keys.iter().map(|k| scan(&patterns, k)).collect();
    for (key, expect) in keys.iter().zip(&expect) {
        let got = classifier.first_match(key);
        assert_eq!(got, *expect, "{shape:?} {key:?} {patterns:?}");
    }
    for level in levels(classifier) {
        let mut out = vec![7; keys.len()];
        level.first_match_batch(&keys, &mut out);
        for ((key, expect), out) in keys.iter().zip(&expect).zip(out) {
            let kernel = level.kernel();
            assert_eq!(
                out,
                expect.unwrap_or(NONE),
                "{kernel} {shape:?} {key:?} {patterns:?}"
            );
        }
    }
    Ok(())
}

/// Bytes for a generator, from a seed.
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut x = seed;
    let step = |_| {
        x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    };
    (0..len.div_ceil(8)).flat_map(step).collect()
}

fn many<A: Made>() {
    for (n, shape) in (0u64..).zip(SHAPES) {
        for (m, rules) in (0u64..).zip([0, 1, 33, 40, 90, 150, 300, 700]) {
            for round in 0..3 {
                let data = bytes(n << 32 | m << 16 | round, 1 << 16);
                compare::<A>(&mut Unstructured::new(&data), shape, rules).unwrap();
            }
        }
    }
}

#[test]
fn equals_a_scan_on_every_shape_ipv4() {
    many::<u32>();
}

#[test]
fn equals_a_scan_on_every_shape_ipv6() {
    many::<u128>();
}

#[test]
fn equals_a_scan_on_arbitrary_sets() {
    arbtest(|u| {
        let shape = *u.choose(&SHAPES)?;
        let rules = u.int_in_range(0..=120)?;
        compare::<u32>(u, shape, rules)?;
        compare::<u128>(u, shape, rules)
    })
    .budget_ms(3_000);
}

fn check_large(name: &str, patterns: Vec<Pattern<u32>>, keys: &[Key<u32>]) -> (usize, usize) {
    let expect: Vec<u32> = keys
        .iter()
        .map(|k| scan(&patterns, k).unwrap_or(NONE))
        .collect();
    let classifier = Classifier::new(patterns);
    let slices = classifier.slices();
    for (key, expect) in keys.iter().zip(&expect) {
        let got = classifier.first_match(key).unwrap_or(NONE);
        assert_eq!(got, *expect, "{name} {key:?}");
    }
    for level in levels(classifier) {
        let mut out = vec![7; keys.len()];
        level.first_match_batch(keys, &mut out);
        assert_eq!(out, expect, "{name} {}", level.kernel());
    }
    slices
}

#[test]
fn equals_a_scan_on_large_awkward_sets() {
    for (n, name) in shapes::SHAPES.iter().enumerate() {
        let (patterns, keys) = shapes::set(n, 2500, 400);
        check_large(name, patterns, &keys);
    }
}

#[test]
fn equals_a_scan_where_a_set_is_cut_into_slices() {
    let (mut patterns, mut keys) = (Vec::new(), Vec::new());
    for shape in [8, 0, 2, 0, 6] {
        let (p, k) = shapes::set(shape, 1200, 100);
        patterns.extend(p);
        keys.extend(k);
    }
    let (tables, scanned) = check_large("mixture", patterns, &keys);
    assert!(tables > 1 && scanned > 0, "{tables} {scanned}");
}

/// The bounds that the documentation states, on every shape: at most 3.5 KiB a rule and the fixed
/// tables.
#[test]
fn memory_is_bounded_on_every_shape() {
    for (n, name) in shapes::SHAPES.iter().enumerate() {
        let (patterns, _) = shapes::set(n, 4000, 1);
        let bytes = Classifier::new(patterns).bytes();
        assert!(bytes <= (6 << 20) + 4000 * 3584, "{name}: {bytes}");
    }
}

/// An overlay answers like a scan of the list as it is after the changes, and as the list compiled
/// anew.
#[test]
fn changes_take_effect_at_once() {
    let mut seen = [0usize; 3];
    for round in 0..40u64 {
        let data = bytes(round, 1 << 16);
        let mut u = Unstructured::new(&data);
        let shape = SHAPES[(round % SHAPES.len() as u64) as usize];
        let made = (0..80)
            .map(|_| pattern::<u32>(&mut u, shape))
            .collect::<Result<Vec<_>>>();
        let made = made.unwrap();
        let (base, fresh) = made.split_at(50);
        let mut overlay = Overlay::new(Classifier::new(base.to_vec()));
        // The list as it should be, each pattern with its name.
        let mut list: Vec<(Found, Pattern<u32>)> = (0..)
            .map(Found::Compiled)
            .zip(base.iter().copied())
            .collect();
        for &p in fresh {
            let before = u.int_in_range(0..=55u32).unwrap();
            let name = Found::Added(overlay.insert(before, p).unwrap());
            let at = list
                .iter()
                .position(|(f, _)| matches!(f, Found::Compiled(n) if *n >= before))
                .unwrap_or(list.len());
            // Removed ones are no place to stand in front of: none is removed yet.
            list.insert(at, (name, p));
        }
        for _ in 0..25 {
            let (gone, _) = list.remove(u.choose_index(list.len()).unwrap());
            assert!(overlay.remove(gone));
            assert!(!overlay.remove(gone), "it is gone");
        }
        let compiled = |f: &Found| matches!(f, Found::Compiled(_));
        let left = list.iter().filter(|(f, _)| compiled(f)).count();
        assert_eq!(overlay.changes(), (50 - left) + (list.len() - left));
        assert_eq!(overlay.patterns().collect::<Vec<_>>(), list);
        let patterns: Vec<_> = list.iter().map(|(_, p)| *p).collect();
        let keys: Vec<_> = (0..200).map(|_| key(&mut u, &patterns).unwrap()).collect();
        let mut out = vec![None; keys.len()];
        overlay.first_match_batch(&keys, &mut out);
        let anew = Classifier::new(patterns.clone());
        for (key, out) in keys.iter().zip(out) {
            let at = scan(&patterns, key);
            let expect = at.map(|n| list[n as usize].0);
            assert_eq!(overlay.first_match(key), expect);
            assert_eq!(out, expect);
            assert_eq!(anew.first_match(key), at);
            seen[match expect {
                None => 0,
                Some(Found::Compiled(_)) => 1,
                Some(Found::Added(_)) => 2,
            }] += 1;
        }
    }
    assert!(seen.iter().all(|n| *n > 100), "{seen:?}");
}

#[test]
fn an_overlay_is_bounded() {
    let mut overlay = Overlay::<u32>::new(Classifier::new(Vec::new()));
    for _ in 0..Overlay::<u32>::MAX_ADDED {
        overlay.insert(0, Pattern::ANY).unwrap();
    }
    assert_eq!(overlay.insert(0, Pattern::ANY), Err(Full));
    assert!(overlay.remove(Found::Added(3)));
    assert!(overlay.insert(0, Pattern::ANY).is_ok());
    assert!(!overlay.remove(Found::Compiled(0)));
    assert_eq!(overlay.first_match(&Key::default()), Some(Found::Added(0)));
}

fn check_set<A: sets::Text>(rules: &str, trace: &str, name: &str) {
    let patterns = sets::rules::<A>(rules);
    let (keys, expect) = sets::headers::<A>(trace);
    let classifier = Classifier::new(patterns);
    for (line, (key, expect)) in keys.iter().zip(&expect).enumerate() {
        assert_eq!(
            classifier.first_match(key),
            *expect,
            "{name}, header {line}"
        );
    }
    for level in levels(classifier) {
        let mut out = vec![0; keys.len()];
        level.first_match_batch(&keys, &mut out);
        for (line, (expect, out)) in expect.iter().zip(out).enumerate() {
            let kernel = level.kernel();
            assert_eq!(
                out,
                expect.unwrap_or(NONE),
                "{name}, header {line}, {kernel}"
            );
        }
    }
}

#[test]
fn agrees_with_the_answers_of_all_sets() {
    let Some(folder) = sets::folder() else {
        println!("skipped: HOSTWARD_RULES does not name a folder with rule sets");
        return;
    };
    let names = sets::names(&folder);
    assert!(!names.is_empty(), "no sets in {}", folder.display());
    for name in names {
        let (rules, trace) = (
            sets::read(&folder, &name, "rules"),
            sets::read(&folder, &name, "trace"),
        );
        if name.contains("v6") {
            check_set::<u128>(&rules, &trace, &name);
        } else {
            check_set::<u32>(&rules, &trace, &name);
        }
    }
}
