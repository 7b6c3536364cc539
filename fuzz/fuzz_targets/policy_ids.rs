//! IDS policies: any text is read and compiled without panic, and what is made of it is right.
//!
//! `cargo +nightly fuzz run policy_ids -- -dict=fuzz/policy.dict`
#![no_main]

use hostward_policy::ids::compile;
use hostward_policy::{Diagnostics, Language, Policy, Sources};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let language = Language::full().expect("the tables are right");
    let mut sources = Sources::new();
    if sources.add("text", data).is_err() {
        return;
    }
    let mut out = Diagnostics::default();
    let policy = Policy::read(&language, &sources, &mut out);
    let made = compile(&policy, &mut out);
    assert_eq!(made.is_none(), out.has_errors());
    if let Some(made) = made {
        made.policy.check().expect("what was compiled is right");
    }
});
