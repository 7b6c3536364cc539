//! What holds for every text.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod support;

use arbtest::arbitrary::{Result, Unstructured};
use arbtest::arbtest;
use hostward_policy::{
    Diagnostics, FormatError, Policy, SourceId, Sources, complete, format, tables, words,
};
use support::{content, language, sources};

const FIXTURES: [&str; 5] = [
    include_str!("fixtures/web.conf"),
    include_str!("fixtures/branch.conf"),
    include_str!("fixtures/tunnels.conf"),
    include_str!("fixtures/main.conf"),
    include_str!("fixtures/tcpip.image"),
];

fn first(sources: &Sources) -> SourceId {
    sources.iter().next().unwrap().0
}

fn comments(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|l| l.find('#').and_then(|n| l.get(n..)))
        .map(str::trim_end)
        .collect()
}

/// Laid out once and twice is the same, says the same, and keeps every comment.
fn layout_keeps(text: &str) {
    let language = language();
    let before = sources(&[text]);
    let laid_out = match format(&language, &before, first(&before)) {
        Ok(laid_out) => laid_out,
        Err(FormatError::Braces) => return,
        Err(e) => panic!("{e}: {text:?}"),
    };
    let after = sources(&[&laid_out]);
    assert_eq!(
        format(&language, &after, first(&after)),
        Ok(laid_out.clone()),
        "{text:?}"
    );
    let read = |s| content(&Policy::read(&language, s, &mut Diagnostics::default()));
    assert_eq!(read(&before), read(&after), "{text:?} {laid_out:?}");
    assert_eq!(comments(text), comments(&laid_out), "{text:?} {laid_out:?}");
}

#[test]
fn the_layout_keeps_fixtures() {
    for text in FIXTURES {
        layout_keeps(text);
        layout_keeps(&text.replace('\n', "\r\n"));
        layout_keeps(&text.replace("  ", "\t \t"));
        layout_keeps(&text.replace("\n{", " {").replace("}\n", "} # end\n"));
        layout_keeps(&text.to_ascii_lowercase());
    }
    // A byte order mark that is not at the begin makes its line unreadable and stays.
    layout_keeps("IpService\n{\n\u{feff} Protocol tcp\n}\n");
    layout_keeps("\n\u{feff}IpService A\n{\n}\n");
    layout_keeps("\u{feff}\n\u{feff}\u{feff}IpService A\n{\n}\n");
}

#[test]
fn the_layout_is_the_expected_one() {
    let text = "\u{feff}\n\n# head\r\nIPFILTERRULE  Web {# open\n ipsourceaddr\t10.1.1.1#mine\n\n\n\nIpService{protocol TCP}\n  nonsense   stays  as # it  is\n} \n\n";
    let expected = "# head\nIpFilterRule Web\n{ # open\n  IpSourceAddr 10.1.1.1 #mine\n\n  IpService\n  {\n    Protocol Tcp\n  }\n  nonsense   stays  as # it  is\n}\n";
    let language = language();
    let sources = sources(&[text]);
    assert_eq!(
        format(&language, &sources, first(&sources)).as_deref(),
        Ok(expected)
    );
}

#[test]
fn what_cannot_be_laid_out_without_a_loss_is_refused() {
    let language = language();
    for (text, error) in [
        (&b"IpService A\n{\n"[..], FormatError::Braces),
        (b"}\n", FormatError::Braces),
        (b"# \xff\n", FormatError::NotUtf8),
    ] {
        let mut sources = Sources::new();
        let id = sources.add("f", text).unwrap();
        assert_eq!(format(&language, &sources, id), Err(error));
    }
}

/// Words of the language, values and pieces in any order.
fn arbitrary_text(u: &mut Unstructured<'_>, words: &[&str]) -> Result<String> {
    let pieces = [
        "\n",
        "\n{\n",
        "\n}\n",
        "{",
        "}",
        " ",
        "\t",
        "#",
        "\r\n",
        "\0",
        "\u{a0}",
        "\u{feff}",
        "10.1.1.1",
        "10.0.0.0/8",
        "1-2",
        "::1-::2",
        "80",
        "a",
        "name",
        "2 1",
        "yes",
        "-",
        ",",
        "Ref",
    ];
    let mut text = String::new();
    while !u.is_empty() && text.len() < 4000 {
        if u.arbitrary()? {
            text.push_str(u.choose(words)?);
            text.push_str(u.choose(&[" ", " ", "\n", "\n{\n", " name\n{\n"])?);
        } else {
            text.push_str(u.choose(&pieces)?);
        }
    }
    Ok(text)
}

#[test]
fn the_layout_keeps_any_text() {
    let words: Vec<_> = words(tables::ALL).into_iter().collect();
    arbtest(|u| {
        layout_keeps(&arbitrary_text(u, &words)?);
        Ok(())
    })
    .budget_ms(3000);
}

#[test]
fn a_changed_fixture_is_read_without_panic_and_laid_out_the_same() {
    arbtest(|u| {
        let mut text = (*u.choose(&FIXTURES)?).to_owned();
        for _ in 0..u.int_in_range(1..=6)? {
            let at = u.int_in_range(0..=text.len())?;
            if !text.is_char_boundary(at) {
                continue;
            }
            match u.int_in_range(0..=3)? {
                0 => text.insert_str(
                    at,
                    u.choose(&["{", "}", "\n", "#", " ", "\0", "{\n", "\n}\n", "x"])?,
                ),
                1 => text.truncate(at),
                2 if at < text.len() => {
                    text.remove(at);
                }
                _ => {
                    let line = text
                        .lines()
                        .nth(u.int_in_range(0..=20)?)
                        .unwrap_or_default()
                        .to_owned();
                    text.insert_str(at, &line);
                }
            }
        }
        layout_keeps(&text);
        Ok(())
    })
    .budget_ms(3000);
}

#[test]
fn completions_are_what_may_stand_there() {
    let language = language();
    let at = |text: &str| -> Vec<String> {
        let sources = sources(&[text]);
        complete(
            &language,
            &sources,
            first(&sources),
            u32::try_from(text.len()).unwrap(),
        )
        .into_iter()
        .map(|c| c.text)
        .collect()
    };
    assert!(at("").contains(&"IpFilterRule".into()) && at("").contains(&"TcpImage".into()));
    assert_eq!(at("ipfilterr"), ["IpFilterRule"]);
    assert_eq!(at("IpService A\n{\n  so"), ["SourcePortRange"]);
    assert_eq!(
        at("IpService A\n{\n  Direction "),
        ["Bidirectional", "Inbound", "Outbound"]
    );
    assert_eq!(
        at("IpService A\n{\n  direction bidirectional in"),
        ["InboundConnect"]
    );
    assert_eq!(
        at("IpDataOffer A\n{\n HowToEncrypt AES_CBC KeyLength "),
        ["128", "256"]
    );
    assert_eq!(
        at("IpAddr One\n{\n}\nIpAddr Two\n{\n}\nIpAddrGroup G\n{\n IpAddrRef T"),
        ["Two"]
    );
    assert_eq!(at("IpService A\n{\n}\nIpAddrG"), ["IpAddrGroup"]);
    assert_eq!(at("IpService A\n{\n# comment "), [""; 0]);
    assert_eq!(at("ServicesConnection\n{\n  "), [""; 0]);
    // Every completion of a keyword is accepted where it was offered.
    for word in at("IpFilterRule A\n{\n  ") {
        let text = format!("IpFilterRule A\n{{\n  {word} x\n}}\n");
        assert!(
            !support::codes(&[&text])
                .iter()
                .any(|c| c.ends_with("P0110") || c.ends_with("P0111")),
            "{word}"
        );
    }
}
