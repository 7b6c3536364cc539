//! The mistakes that are made most often: each gives exactly one message, which says what to do.
//! `UPDATE_SNAPSHOTS=1` writes `snapshots/`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing test may panic"
)]

use std::path::Path;

use hostward_policy::{Diagnostics, Language, Policy, Sources, Style, render_all};

/// A policy without mistakes.
const GOOD: &str = "\
IpFilterPolicy
{
  IpFilterRuleRef Web
}
IpFilterRule Web
{
  IpSourceAddr 10.1.1.1
  IpDestAddr 10.1.1.0/24
  IpService
  {
    Protocol Tcp
    SourcePortRange 80
    DestinationPortRange 1024 65535
  }
  IpGenericFilterActionRef Allow
}
IpGenericFilterAction Allow
{
  IpFilterAction Permit
}
KeyExchangeOffer Fast
{
  RefreshLifetimeProposed 240
}
KeyExchangeAction Strong
{
  HowToInitiate IKEv2
  KeyExchangeOfferRef Fast
}
KeyExchangeRule Branch
{
  LocalSecurityEndpoint
  {
    Location 10.1.1.1
  }
  RemoteSecurityEndpoint
  {
    Location 10.2.0.0/16
  }
  KeyExchangeActionRef Strong
}
KeyExchangePolicy
{
  KeyExchangeRuleRef Branch
}
";

fn messages(text: &str) -> (usize, String) {
    let language = Language::full().unwrap();
    let mut sources = Sources::new();
    sources.add("policy.conf", text.as_bytes()).unwrap();
    let mut out = Diagnostics::default();
    let _ = Policy::read(&language, &sources, &mut out);
    out.sort();
    (out.iter().count(), render_all(&out, &sources, Style::Plain))
}

#[test]
fn the_policy_without_mistakes_has_none() {
    let (count, text) = messages(GOOD);
    assert_eq!(count, 0, "{text}");
}

/// One piece of the good policy, and what stands in its place.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("missing-brace-of-inner-block", "65535\n  }\n", "65535\n"),
    (
        "missing-brace-of-statement",
        "Ref Allow\n}\n",
        "Ref Allow\n",
    ),
    (
        "missing-brace-of-first-statement",
        "Ref Web\n}\n",
        "Ref Web\n",
    ),
    (
        "missing-brace-at-the-end",
        "Ref Branch\n}\n",
        "Ref Branch\n",
    ),
    (
        "missing-opening-brace",
        "IpFilterRule Web\n{\n",
        "IpFilterRule Web\n",
    ),
    (
        "missing-opening-brace-of-inner-block",
        "IpService\n  {\n",
        "IpService\n",
    ),
    ("one-brace-too-many", "65535\n  }\n", "65535\n  }\n}\n"),
    (
        "one-brace-too-many-at-the-end",
        "Ref Branch\n}\n",
        "Ref Branch\n}\n}\n",
    ),
    (
        "brace-on-the-keywords-line",
        "IpService\n  {\n",
        "IpService {\n",
    ),
    ("misspelt-statement", "IpFilterRule Web", "IpFiltrRule Web"),
    (
        "misspelt-parameter",
        "DestinationPortRange",
        "DestPortRange",
    ),
    ("misspelt-inner-statement", "IpService\n", "IpServce\n"),
    ("unknown-parameter", "Protocol Tcp", "Colour green"),
    (
        "parameter-of-another-statement",
        "    Protocol Tcp\n",
        "    Protocol Tcp\n    IpFilterLogging Yes\n",
    ),
    (
        "wrong-keyword-as-value",
        "IpFilterAction Permit",
        "IpFilterAction Allow",
    ),
    ("misspelt-value", "Protocol Tcp", "Protocol Tpc"),
    (
        "misspelt-qualifier",
        "    Protocol Tcp\n",
        "    Protocol Tcp\n    Direction Bidirectional InbondConnect\n",
    ),
    ("number-with-unit", "Proposed 240", "Proposed 4h"),
    ("number-and-unit", "Proposed 240", "Proposed 240 minutes"),
    ("unknown-reference", "Ref Allow", "Ref PermitAll"),
    (
        "misspelt-reference",
        "IpFilterRuleRef Web",
        "IpFilterRuleRef Wbe",
    ),
    (
        "reference-in-other-letters",
        "IpFilterRuleRef Web",
        "IpFilterRuleRef WEB",
    ),
    ("reference-to-another-kind", "Ref Allow", "Ref Web"),
    (
        "reference-without-ref",
        "IpGenericFilterActionRef Allow",
        "IpGenericFilterAction Allow",
    ),
    (
        "duplicate-name",
        "KeyExchangeOffer Fast\n",
        "IpGenericFilterAction Allow\n{\n  IpFilterAction Deny\n}\nKeyExchangeOffer Fast\n",
    ),
    (
        "parameter-given-twice",
        "    Protocol Tcp\n",
        "    Protocol Tcp\n    Protocol Udp\n",
    ),
    (
        "two-ways-to-say-it",
        "  IpDestAddr 10.1.1.0/24\n",
        "  IpDestAddr 10.1.1.0/24\n  IpDestAddrSet 10.1.2.0/24\n",
    ),
    (
        "addresses-of-two-versions",
        "10.1.1.0/24",
        "10.1.1.1-2001:db8::1",
    ),
    ("prefix-too-long", "10.1.1.0/24", "10.1.1.0/64"),
    ("no-address", "10.1.1.0/24", "10.1.1.256"),
    (
        "host-name-as-address",
        "IpSourceAddr 10.1.1.1",
        "IpSourceAddr web.example.com",
    ),
    (
        "mapped-address",
        "Location 10.1.1.1",
        "Location ::ffff:10.1.1.1",
    ),
    ("inverted-port-range", "1024 65535", "65535 1024"),
    ("inverted-address-range", "10.1.1.0/24", "10.1.1.9-10.1.1.1"),
    ("mixed-delimiters", "1024 65535", "1024 - 65535"),
    ("port-out-of-range", "1024 65535", "1024 70000"),
    ("missing-value", "Protocol Tcp", "Protocol"),
    ("missing-parameter", "  IpFilterAction Permit\n", ""),
    ("missing-list", "  KeyExchangeOfferRef Fast\n", ""),
    ("missing-name", "IpFilterRule Web", "IpFilterRule"),
    (
        "name-too-long",
        "KeyExchangePolicy\n",
        "IpAddr ThisNameIsLongerThanThirtyTwoCharacters\n{\n  Addr ::1\n}\nKeyExchangePolicy\n",
    ),
    (
        "name-with-comma",
        "KeyExchangePolicy\n",
        "IpAddr a,b\n{\n  Addr ::1\n}\nKeyExchangePolicy\n",
    ),
    (
        "name-where-none-is-taken",
        "IpFilterPolicy\n",
        "IpFilterPolicy Main\n",
    ),
    (
        "block-of-nothing",
        "KeyExchangePolicy\n",
        "{\n  Anything here\n}\nKeyExchangePolicy\n",
    ),
    (
        "block-where-none-is-taken",
        "    Protocol Tcp\n",
        "    Protocol\n    {\n      Tcp\n    }\n",
    ),
    (
        "statement-that-counts-once",
        "KeyExchangePolicy\n",
        "KeyExchangePolicy\n{\n  AllowNat No\n}\nKeyExchangePolicy\n",
    ),
    (
        "statement-of-another-file",
        "KeyExchangePolicy\n",
        "LogLevel 31\nKeyExchangePolicy\n",
    ),
    ("no-break-space", "Protocol Tcp", "Protocol\u{a0}Tcp"),
    (
        "text-behind-the-value",
        "IpFilterAction Permit",
        "IpFilterAction Permit always",
    ),
];

#[test]
fn each_mistake_gives_one_message_that_says_what_to_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|v| v == "1");
    let mut wrong = String::new();
    for (name, piece, instead) in MISTAKES {
        assert_eq!(
            GOOD.matches(piece).count(),
            1,
            "{name}: {piece:?} stands once"
        );
        let (count, text) = messages(&GOOD.replace(piece, instead));
        if count != 1 {
            wrong.push_str(&format!("--- {name}: {count} messages\n{text}\n"));
        }
        let file = folder.join(name).with_extension("txt");
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &text).unwrap();
        } else if std::fs::read_to_string(&file).unwrap_or_default() != text {
            wrong.push_str(&format!(
                "--- {name} is not as in snapshots/{name}.txt\n{text}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
