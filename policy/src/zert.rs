//! Rules about how connections are protected: from the statements of a zERT policy to the model of
//! [`hostward_zert::enforce`].

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use hostward_hook::protection::Encapsulation;
use hostward_zert::enforce::{
    Action, Addresses, Condition, Kind, Match, NamePattern, Opened, Pattern, Protection, Rule,
    RuleSet,
};
use hostward_zert::record::{PqClass, TlsVersion};

use crate::codes;
use crate::diagnostic::{CodeInfo, Diagnostic, Diagnostics, quote};
use crate::policy::{Object, Policy, Setting};
use crate::schema::ParameterId;
use crate::source::Span;
use crate::tables::ipsec::YesNo;
use crate::tables::ipsec::address::{All, IP_ADDR_GROUP, ip_addr, ip_addr_group, ip_addr_set};
use crate::tables::zert::{
    Direction, Header, MatchOf, Mode, PostQuantum, Protocol, ZERT_RULE, zert_action,
    zert_protection, zert_rule,
};
use crate::value::Atom;

/// The most addresses that all rules together may have.
const MOST_ADDRESSES: usize = 1_000_000;

/// How much work goes into comparing rules with each other.
const COMPARISONS: usize = 4_000_000;

/// Rules and where they stand.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ZertPolicy {
    /// The rules, in the order in which they are tried.
    pub rule_set: RuleSet,
    /// Keyword and name of each rule, by position.
    pub places: Vec<Span>,
}

/// Compiles the zERT rules. Nothing when the policy has an error, be it from reading or found here: all or nothing is
/// installed. `generation` tells the rules from the ones before and after them.
///
/// Linear in the statements but for sorting, and for the comparison of rules, which is bounded.
#[must_use]
pub fn compile(policy: &Policy<'_>, generation: u64, out: &mut Diagnostics) -> Option<ZertPolicy> {
    let mut compiler = Compiler {
        out,
        protections: BTreeMap::new(),
        actions: BTreeMap::new(),
        addresses: BTreeMap::new(),
        expansion: 0,
    };
    let mut rules: Vec<(Rule, Span)> = Vec::new();
    for object in policy.statements(&ZERT_RULE) {
        if let Some(rule) = compiler.rule(object) {
            rules.push((rule, object.name_span()));
        }
        if compiler.expansion > MOST_ADDRESSES {
            compiler.too_many(object);
            break;
        }
    }
    let failed = |out: &Diagnostics| out.has_errors() || policy.has_errors();
    if failed(out) {
        return None;
    }
    // Stable, as the rule set itself sorts.
    rules.sort_by(|(a, _), (b, _)| {
        let order = b.priority.cmp(&a.priority);
        order.then_with(|| a.name.cmp(&b.name))
    });
    compare(&rules, out);
    let (rules, places) = rules.into_iter().unzip();
    Some(ZertPolicy {
        rule_set: RuleSet::new(rules, generation),
        places,
    })
}

/// Warns of rules that decide nothing.
fn compare(rules: &[(Rule, Span)], out: &mut Diagnostics) {
    let mut left = COMPARISONS;
    for (at, (rule, place)) in rules.iter().enumerate() {
        for (earlier, before) in rules.get(..at).unwrap_or_default() {
            let work = |a: usize, b: usize| (a + 1).saturating_mul(b + 1);
            let cost = work(earlier.local.len(), rule.local.len())
                + work(earlier.remote.len(), rule.remote.len())
                + work(earlier.local_ports.len(), rule.local_ports.len())
                + work(earlier.remote_ports.len(), rule.remote_ports.len());
            let Some(rest) = left.checked_sub(cost) else {
                out.push(
                    Diagnostic::new(
                        &codes::NOT_ALL_COMPARED,
                        *place,
                        "there are too many zERT rules to compare all with each other",
                    )
                    .label("some rules that decide nothing may not have been found"),
                );
                return;
            };
            left = rest;
            if earlier.covers(rule) {
                out.push_with(&codes::ZERT_SHADOWED, || {
                    Diagnostic::new(
                        &codes::ZERT_SHADOWED,
                        *place,
                        format!(
                            "zERT rule {} decides nothing: {} before it matches all its connections",
                            rule.name, earlier.name
                        ),
                    )
                    .label("has no effect")
                    .also(*before, "is tried first and matches all of them")
                    .help("give the narrower rule the higher `Priority`, or take it out")
                });
                break;
            }
        }
    }
}

/// What was made of statements that several rules share; nothing for one with an error, which is told once.
type Shared<T> = BTreeMap<u32, Option<T>>;

struct Compiler<'d> {
    out: &'d mut Diagnostics,
    protections: Shared<Arc<Protection>>,
    actions: Shared<Arc<Action>>,
    addresses: Shared<Vec<Addresses>>,
    /// Addresses of rules so far.
    expansion: usize,
}

impl Compiler<'_> {
    fn too_many(&mut self, object: Object<'_>) {
        self.out.push_with(&codes::TOO_MANY_ADDRESSES, || {
            Diagnostic::new(
                &codes::TOO_MANY_ADDRESSES,
                object.name_span(),
                format!("the zERT rules have more than {MOST_ADDRESSES} addresses together"),
            )
            .label("with this one")
            .help("use prefixes and ranges in place of long lists of addresses")
        });
    }

    fn rule(&mut self, object: Object<'_>) -> Option<Rule> {
        let local = self.end(object, zert_rule::LOCAL);
        let remote = self.end(object, zert_rule::REMOTE);
        let jobs = self.owners(object, zert_rule::JOBS);
        let users = self.owners(object, zert_rule::USERS);
        let protection = object
            .one(zert_rule::PROTECTION)
            .and_then(|s| s.object())
            .and_then(|p| self.protection(p));
        let action = object
            .one(zert_rule::ACTION)
            .and_then(|s| s.object())
            .map(|a| self.action(a));
        let mut rule = Rule::new(&object.name(), protection?, action??);
        rule.priority = object.number(zert_rule::PRIORITY)?;
        rule.local = local?;
        rule.remote = remote?;
        rule.local_ports = ports(object, zert_rule::LOCAL_PORTS);
        rule.remote_ports = ports(object, zert_rule::REMOTE_PORTS);
        rule.jobs = jobs?;
        rule.users = users?;
        rule.opened = match object.choice::<Direction>(zert_rule::DIRECTION)? {
            Direction::Inbound => Opened::Inbound,
            Direction::Outbound => Opened::Outbound,
            Direction::Both => Opened::Both,
        };
        Some(rule)
    }

    /// One end of a rule; empty for all addresses.
    fn end(&mut self, object: Object<'_>, parameter: ParameterId) -> Option<Vec<Addresses>> {
        let setting = object.one(parameter)?;
        let list = match setting.object() {
            Some(object) => self.object(object)?,
            None => {
                let one = self.spec(&setting)?;
                // All addresses are no condition.
                let mut list = alloc::vec![one];
                list.retain(|a| *a != Addresses::All);
                list
            }
        };
        self.expansion = self.expansion.saturating_add(list.len());
        Some(list)
    }

    /// An address statement, a set or a group.
    fn object(&mut self, object: Object<'_>) -> Option<Vec<Addresses>> {
        if let Some(known) = self.addresses.get(&object.index()) {
            // More than allowed is told; it need not be copied.
            let fits = self.expansion <= MOST_ADDRESSES;
            return known.clone().filter(|_| fits);
        }
        let list = if object.is(&IP_ADDR_GROUP) {
            let mut list = Some(Vec::new());
            for member in object.objects(ip_addr_group::MEMBERS) {
                let one = self.single(member);
                list = list.zip(one).map(|(mut list, one)| {
                    list.push(one);
                    list
                });
            }
            list.and_then(|list| self.not_empty(object, list))
        } else {
            self.single(object).map(|one| alloc::vec![one])
        };
        self.addresses.insert(object.index(), list.clone());
        list
    }

    /// An empty group must not stand for all addresses.
    fn not_empty(&mut self, object: Object<'_>, list: Vec<Addresses>) -> Option<Vec<Addresses>> {
        if !list.is_empty() {
            return Some(list);
        }
        if !object.is_broken() {
            self.out.push_with(&codes::EMPTY_GROUP, || {
                Diagnostic::new(
                    &codes::EMPTY_GROUP,
                    object.name_span(),
                    format!("{} is empty and a zERT rule refers to it", object.name()),
                )
                .label("has no address")
                .help("add a member to the group")
            });
        }
        None
    }

    fn single(&mut self, object: Object<'_>) -> Option<Addresses> {
        let setting = object
            .one(ip_addr::ADDR)
            .or_else(|| object.one(ip_addr_set::ADDRESSES))?;
        self.spec(&setting)
    }

    fn spec(&mut self, setting: &Setting<'_>) -> Option<Addresses> {
        let (atom, span) = setting.placed().next()?;
        if let Atom::Address(address) = atom {
            return Some(Addresses::host(address));
        }
        if let Atom::Addresses { first, last } = atom {
            return Some(Addresses::Range { first, last });
        }
        if let Atom::Prefix { address, length } = atom {
            let spec = Addresses::prefix(address, length);
            if let Addresses::Range { first, .. } = spec
                && first != address
            {
                self.out.push_with(&codes::HOST_BITS, || {
                    Diagnostic::new(
                        &codes::HOST_BITS,
                        span,
                        format!("{address}/{length} has bits behind its length"),
                    )
                    .label(format!("is read as {first}/{length}"))
                    .help(format!(
                        "write {first}/{length}, or {address} for the one address"
                    ))
                });
            }
            return Some(spec);
        }
        Some(match setting.choice::<All>()? {
            All::All => Addresses::All,
            All::All4 => Addresses::AllV4,
            All::All6 => Addresses::AllV6,
        })
    }

    fn owners(&mut self, object: Object<'_>, parameter: ParameterId) -> Option<Vec<NamePattern>> {
        let mut list = Some(Vec::new());
        for setting in object.all(parameter) {
            for (atom, span) in setting.placed() {
                let Atom::Word(word) = atom else { continue };
                let pattern = NamePattern::new(word);
                if pattern.is_none() {
                    self.wrong(&codes::BAD_PATTERN, || {
                        Diagnostic::new(
                            &codes::BAD_PATTERN,
                            span,
                            format!("{} is no pattern for names", quote(word)),
                        )
                        .label("expected a name, or the beginning of names with one `*` at the end")
                        .help("give several names on lines of their own")
                    });
                }
                list = list.zip(pattern).map(|(mut list, pattern)| {
                    list.push(pattern);
                    list
                });
            }
        }
        list
    }

    fn wrong(&mut self, code: &'static CodeInfo, make: impl FnOnce() -> Diagnostic) {
        self.out.push_with(code, make);
    }

    fn action(&mut self, object: Object<'_>) -> Option<Arc<Action>> {
        if let Some(known) = self.actions.get(&object.index()) {
            return known.clone();
        }
        let yes = |parameter| object.choice::<YesNo>(parameter) == Some(YesNo::Yes);
        let action = Some(Arc::new(Action {
            name: object.name().into(),
            syslog: yes(zert_action::SYSLOG),
            console: yes(zert_action::CONSOLE),
            audit: yes(zert_action::AUDIT),
            reset: yes(zert_action::RESET),
        }));
        self.actions.insert(object.index(), action.clone());
        action
    }

    fn protection(&mut self, object: Object<'_>) -> Option<Arc<Protection>> {
        if let Some(known) = self.protections.get(&object.index()) {
            return known.clone();
        }
        let made = self.protection_of(object).map(Arc::new);
        self.protections.insert(object.index(), made.clone());
        made
    }

    fn protection_of(&mut self, object: Object<'_>) -> Option<Protection> {
        let protocol = object.choice::<Protocol>(zert_protection::PROTOCOL)?;
        let kind = match protocol {
            Protocol::Tls => Kind::Tls,
            Protocol::Ssh => Kind::Ssh,
            Protocol::IpSec => Kind::Ipsec,
            Protocol::None => Kind::None,
        };
        let mut protection = Protection::new(kind);
        protection.together = match object.choice::<MatchOf>(zert_protection::MATCH)? {
            MatchOf::All => Match::All,
            MatchOf::Any => Match::Any,
        };
        let mut good = true;
        for (parameter, make) in CONDITIONS {
            let Some(setting) = object.one(*parameter) else {
                continue;
            };
            let condition = if parameter.index() == zert_protection::TLS_VERSION.index() {
                self.versions(&setting)
            } else {
                make(&setting)
            };
            match condition {
                Some(condition) if condition.goes_with(kind) => {
                    protection.conditions.push(condition);
                }
                Some(_) => {
                    good = false;
                    self.misfit(&setting, kind);
                }
                None => good = false,
            }
        }
        good.then_some(protection)
    }

    fn misfit(&mut self, setting: &Setting<'_>, kind: Kind) {
        self.wrong(&codes::OTHER_PROTECTION, || {
            let name = setting.keyword().map_or("", |k| k.name);
            let protocol = if kind == Kind::None {
                "None"
            } else {
                kind.name()
            };
            let d = Diagnostic::new(
                &codes::OTHER_PROTECTION,
                setting.line_span(),
                format!("`{name}` does not go with `Protocol {protocol}`"),
            )
            .label("nothing could match");
            d.help(if kind == Kind::None {
                "take it out: connections without protection have nothing to compare"
            } else {
                "take it out, or put it into a `ZERTProtection` of the protocol that has it"
            })
        });
    }

    fn versions(&mut self, setting: &Setting<'_>) -> Option<Condition> {
        let (atom, span) = setting.placed().next()?;
        let Atom::Word(word) = atom else { return None };
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let range = version(first).zip(version(last));
        if let Some((first, last)) = range.filter(|(a, b)| a <= b) {
            return Some(Condition::TlsVersion(first..=last));
        }
        self.wrong(&codes::BAD_VERSION, || {
            Diagnostic::new(
                &codes::BAD_VERSION,
                span,
                format!(
                    "{} is no version of TLS and no range of versions",
                    quote(word)
                ),
            )
            .label("expected a version such as TLSv1.2, or a range such as SSLv2-TLSv1.1")
            .help("the versions are SSLv2, SSLv3, TLSv1.0, TLSv1.1, TLSv1.2 and TLSv1.3")
        });
        None
    }
}

fn version(text: &str) -> Option<TlsVersion> {
    const VERSIONS: &[(&str, u16)] = &[
        ("SSLv2", 0x0002),
        ("SSLv3", 0x0300),
        ("TLSv1", 0x0301),
        ("TLSv1.0", 0x0301),
        ("TLSv1.1", 0x0302),
        ("TLSv1.2", 0x0303),
        ("TLSv1.3", 0x0304),
    ];
    let found = VERSIONS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, number)| TlsVersion(*number))
}

fn ports(object: Object<'_>, parameter: ParameterId) -> Vec<RangeInclusive<u16>> {
    let ranges = object.all(parameter).filter_map(|s| range(&s));
    ranges.collect()
}

fn range(setting: &Setting<'_>) -> Option<RangeInclusive<u16>> {
    let Atom::Range { first, last } = setting.atom()? else {
        return None;
    };
    let number = |n: u32| u16::try_from(n).ok();
    Some(number(first)?..=number(last)?)
}

fn patterns(setting: &Setting<'_>) -> Vec<Pattern> {
    setting
        .atoms()
        .filter_map(|atom| {
            if let Atom::Keyword(choice) = atom {
                Some(Pattern::new(choice.name))
            } else if let Atom::Word(word) = atom {
                Some(Pattern::new(word))
            } else {
                None
            }
        })
        .collect()
}

fn numbers(setting: &Setting<'_>) -> Vec<u16> {
    let numbers = setting.atoms().filter_map(|a| a.number());
    numbers.filter_map(|n| u16::try_from(n).ok()).collect()
}

fn small(setting: &Setting<'_>) -> Option<u8> {
    u8::try_from(setting.atom()?.number()?).ok()
}

type Make = fn(&Setting<'_>) -> Option<Condition>;

/// What each parameter of a protection asks for.
const CONDITIONS: &[(ParameterId, Make)] = {
    use zert_protection as p;
    &[
        // Read apart: it has messages of its own.
        (p::TLS_VERSION, |_| None),
        (p::CIPHERS, |s| Some(Condition::Cipher(patterns(s)))),
        (p::MACS, |s| Some(Condition::Mac(patterns(s)))),
        (p::KEY_EXCHANGES, |s| {
            Some(Condition::KeyExchange(patterns(s)))
        }),
        (p::SIGNATURES, |s| Some(Condition::Signature(patterns(s)))),
        (p::KEY_TYPES, |s| Some(Condition::KeyType(patterns(s)))),
        (p::KEY_LENGTH, |s| range(s).map(Condition::KeyLength)),
        (p::GROUPS, |s| Some(Condition::Group(patterns(s)))),
        (p::POST_QUANTUM, |s| {
            let classes = s.atoms().filter_map(|a| a.choice::<PostQuantum>());
            let classes = classes.map(|c| match c {
                PostQuantum::No => PqClass::Classical,
                PostQuantum::Hybrid => PqClass::Hybrid,
                PostQuantum::Pure => PqClass::Pq,
            });
            Some(Condition::PostQuantum(classes.collect()))
        }),
        (p::SSH_VERSION, |s| small(s).map(Condition::SshVersion)),
        (p::SSH_CIPHER, |s| Some(Condition::SshCipher(patterns(s)))),
        (p::SSH_CIPHER_IN, |s| {
            Some(Condition::SshCipherIn(patterns(s)))
        }),
        (p::SSH_CIPHER_OUT, |s| {
            Some(Condition::SshCipherOut(patterns(s)))
        }),
        (p::SSH_MAC, |s| Some(Condition::SshMac(patterns(s)))),
        (p::SSH_MAC_IN, |s| Some(Condition::SshMacIn(patterns(s)))),
        (p::SSH_MAC_OUT, |s| Some(Condition::SshMacOut(patterns(s)))),
        (p::SSH_KEY_EXCHANGE, |s| {
            Some(Condition::SshKeyExchange(patterns(s)))
        }),
        (p::SSH_HOST_KEY, |s| {
            Some(Condition::SshHostKey(patterns(s)))
        }),
        (p::MODE, |s| {
            Some(Condition::Mode(match s.choice::<Mode>()? {
                Mode::Tunnel => Encapsulation::Tunnel,
                Mode::Transport => Encapsulation::Transport,
            }))
        }),
        (p::HEADER, |s| {
            Some(Condition::Header(s.choice::<Header>()? as u8))
        }),
        (p::DH_GROUPS, |s| Some(Condition::DhGroup(numbers(s)))),
        (p::PFS_GROUPS, |s| Some(Condition::PfsGroup(numbers(s)))),
        (p::IKE_VERSION, |s| small(s).map(Condition::IkeVersion)),
    ]
};

/// A protection in the words of the language, for reports.
#[must_use]
pub fn words(protection: &Protection) -> String {
    let mut parts = Vec::new();
    for condition in &protection.conditions {
        parts.push(word(condition));
    }
    let name = if protection.kind == Kind::None {
        "no protection"
    } else {
        protection.kind.name()
    };
    if parts.is_empty() {
        return name.into();
    }
    let between = match protection.together {
        Match::All => " and ",
        Match::Any => " or ",
    };
    format!("{name} with {}", parts.join(between))
}

fn word(condition: &Condition) -> String {
    let list = |name: &str, list: &[Pattern]| {
        let words: Vec<&str> = list.iter().map(Pattern::as_str).collect();
        format!("{name} {}", words.join(","))
    };
    let numbers = |name: &str, list: &[u16]| {
        let words: Vec<String> = list.iter().map(|n| format!("{n}")).collect();
        format!("{name} {}", words.join(","))
    };
    match condition {
        Condition::TlsVersion(r) if r.start() == r.end() => format!("TlsVersion {}", r.start()),
        Condition::TlsVersion(r) => format!("TlsVersion {}-{}", r.start(), r.end()),
        Condition::Cipher(l) => list("SymmetricCipher", l),
        Condition::Mac(l) => list("MessageAuth", l),
        Condition::KeyExchange(l) => list("KeyExchange", l),
        Condition::Signature(l) => list("SignatureMethod", l),
        Condition::KeyType(l) => list("KeyType", l),
        Condition::KeyLength(r) if r.start() == r.end() => format!("KeyLength {}", r.start()),
        Condition::KeyLength(r) => format!("KeyLength {}-{}", r.start(), r.end()),
        Condition::Group(l) => list("KeyShareGroup", l),
        Condition::PostQuantum(l) => {
            let words: Vec<&str> = l
                .iter()
                .map(|c| match c {
                    PqClass::Hybrid => "Hybrid",
                    PqClass::Pq => "Pure",
                    PqClass::Classical | PqClass::None | _ => "No",
                })
                .collect();
            format!("PostQuantum {}", words.join(","))
        }
        Condition::SshVersion(v) => format!("SshVersion {v}"),
        Condition::SshCipher(l) => list("SshCipher", l),
        Condition::SshCipherIn(l) => list("SshCipherIn", l),
        Condition::SshCipherOut(l) => list("SshCipherOut", l),
        Condition::SshMac(l) => list("SshMessageAuth", l),
        Condition::SshMacIn(l) => list("SshMessageAuthIn", l),
        Condition::SshMacOut(l) => list("SshMessageAuthOut", l),
        Condition::SshKeyExchange(l) => list("SshKeyExchange", l),
        Condition::SshHostKey(l) => list("SshHostKeyType", l),
        Condition::Mode(mode) => match mode {
            Encapsulation::Tunnel => "EncapsulationMode Tunnel".into(),
            Encapsulation::Transport => "EncapsulationMode Transport".into(),
        },
        Condition::Header(51) => "IpSecProtocol AH".into(),
        Condition::Header(_) => "IpSecProtocol ESP".into(),
        Condition::DhGroup(l) => numbers("DHGroup", l),
        Condition::PfsGroup(l) => numbers("PfsGroup", l),
        Condition::IkeVersion(v) => format!("IkeVersion {v}"),
        _ => "another condition".into(),
    }
}
