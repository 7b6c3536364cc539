//! What several tests need.
#![allow(dead_code, unreachable_pub, reason = "not every test needs everything")]

use hostward_policy::{Diagnostics, FileKind, Language, ParameterId, Policy, Sources};

pub fn language() -> Language {
    Language::full().unwrap()
}

pub fn sources(texts: &[&str]) -> Sources {
    let mut sources = Sources::new();
    for (i, text) in texts.iter().enumerate() {
        sources.add(format!("file{i}"), text.as_bytes()).unwrap();
    }
    sources
}

/// The messages as `line:column code`, in order.
pub fn codes(texts: &[&str]) -> Vec<String> {
    codes_of(&language(), &sources(texts))
}

pub fn codes_of(language: &Language, sources: &Sources) -> Vec<String> {
    let mut out = Diagnostics::default();
    let _ = Policy::read(language, sources, &mut out);
    out.sort();
    out.iter()
        .map(|d| {
            let place = sources.location(d.primary.span);
            format!("{}:{} {}", place.line, place.column, d.code)
        })
        .collect()
}

pub fn kinds(texts: &[&str]) -> Vec<FileKind> {
    let (language, sources) = (language(), sources(texts));
    let policy = Policy::read(&language, &sources, &mut Diagnostics::default());
    sources.iter().map(|(id, _)| policy.kind(id)).collect()
}

/// What a policy says, without places.
pub fn content(policy: &Policy<'_>) -> Vec<String> {
    policy
        .objects()
        .map(|object| {
            let kind = object.kind().unwrap();
            let mut out = format!("{} {:?}", kind.name, object.given_name());
            for index in 0..u8::try_from(kind.parameters.len()).unwrap() {
                for setting in object.all(ParameterId::new(kind, index)) {
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
