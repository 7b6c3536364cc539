//! Arbitrary texts, in two files at a NUL byte: read, rendered, laid out twice, completed.
//!
//! `cargo +nightly fuzz run policy -- -dict=fuzz/policy.dict`

#![no_main]

use std::sync::LazyLock;

use hostward_policy::{
    Diagnostics, Language, Policy, Sources, Style, complete, format, render_all,
};
use libfuzzer_sys::fuzz_target;

static LANGUAGE: LazyLock<Language> =
    LazyLock::new(|| Language::full().expect("the tables are in order"));

/// What a policy says, without places.
fn content(policy: &Policy<'_>) -> Vec<String> {
    policy
        .objects()
        .map(|object| {
            let kind = object.kind().expect("every object is of a kind");
            let mut out = format!("{} {:?}", kind.name, object.given_name());
            for index in 0..kind.parameters.len() {
                let id = hostward_policy::ParameterId::new(kind, index as u8);
                for setting in object.all(id) {
                    for atom in setting.atoms() {
                        out.push_str(&format!(" {index}={atom:?}"));
                    }
                    if let Some(object) = setting.object() {
                        out.push_str(&format!(" {index}->{}", object.index()));
                    }
                }
            }
            out
        })
        .collect()
}

fuzz_target!(|input: &[u8]| {
    let mut sources = Sources::new();
    let mut ids = Vec::new();
    for (i, text) in input.splitn(2, |b| *b == 0).enumerate() {
        ids.push(sources.add(format!("file{i}"), text).expect("small"));
    }
    let mut out = Diagnostics::new(20);
    let policy = Policy::read(&LANGUAGE, &sources, &mut out);
    out.sort();
    let text = render_all(&out, &sources, Style::Plain);
    assert!(out.iter().count() == 0 || !text.is_empty());
    for id in &ids {
        let source = sources.get(*id).expect("it was added");
        let tree = policy.tree(*id).expect("it was read");
        let mut at = 0;
        for token in tree.tokens(&LANGUAGE, &sources) {
            assert_eq!(token.span.start, at, "tokens join");
            assert!(token.span.end > at, "tokens are not empty");
            at = token.span.end;
        }
        assert_eq!(
            at as usize,
            source.text().len(),
            "tokens are all of the text"
        );
        let middle = source.text().len() / 2;
        complete(&LANGUAGE, &sources, *id, middle as u32);
    }
    let laid_out: Vec<_> = ids
        .iter()
        .map(|i| format(&LANGUAGE, &sources, *i))
        .collect();
    if !out.has_errors() {
        assert!(
            laid_out.iter().all(Result::is_ok),
            "what has no error is laid out"
        );
    }
    let mut again = Sources::new();
    for (i, text) in laid_out.iter().enumerate() {
        let Ok(text) = text else { return };
        let id = again
            .add(format!("file{i}"), text.as_bytes())
            .expect("small");
        let twice = format(&LANGUAGE, &again, id).expect("the braces still match");
        assert_eq!(*text, twice, "laying out again changes nothing");
    }
    let other = Policy::read(&LANGUAGE, &again, &mut Diagnostics::new(0));
    assert_eq!(
        content(&policy),
        content(&other),
        "the layout changes no meaning"
    );
});
