//! Whatever a peer says it is: reading ends, what is shown is visible, what is sent back is the same identity, and
//! patterns of identities take their own identity.
#![no_main]

use hostward_ike::identity::{DistinguishedName, Identity, IdentityPattern};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(identity) = Identity::read_body(data) {
        assert_eq!(Identity::read_body(&identity.body()).as_ref(), Ok(&identity));
        let shown = identity.to_string();
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        assert!(IdentityPattern::Any.matches(&identity));
        if let Identity::Dn(name) = &identity
            && !name.is_empty()
            && let Ok(read) = DistinguishedName::parse(&shown)
        {
            // Text has no kinds of strings, so only what is text in the name comes back as the same.
            let again = DistinguishedName::read(read.der()).unwrap();
            assert_eq!(read, again);
        }
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(name) = DistinguishedName::parse(text) {
        assert_eq!(DistinguishedName::read(name.der()).as_ref(), Ok(&name));
        assert_eq!(DistinguishedName::parse(&name.to_string()).as_ref(), Ok(&name));
        if let Ok(pattern) = IdentityPattern::dn(text)
            && pattern.exact().is_some()
        {
            assert!(pattern.matches(&Identity::Dn(name)));
        }
    }
    for pattern in [
        IdentityPattern::fqdn(text),
        IdentityPattern::user_at_fqdn(text),
        IdentityPattern::dn(text),
    ]
    .into_iter()
    .flatten()
    {
        if let Some(identity) = pattern.exact() {
            assert!(pattern.matches(identity));
        }
    }
});
