//! The table of codes. A code that was once published keeps its number and meaning.

use crate::diagnostic::{Code, CodeInfo, Severity, Step};

macro_rules! codes {
    ($($constant:ident = $number:literal, $name:literal, $step:ident, $severity:ident, $text:literal;)*) => {
        $(
            #[doc = $text]
            pub const $constant: CodeInfo = CodeInfo {
                code: Code::new($number),
                name: $name,
                step: Step::$step,
                severity: Severity::$severity,
                text: $text,
            };
        )*

        /// All codes, ascending.
        pub const CODES: &[CodeInfo] = &[$($constant),*];
    };
}

codes! {
    INVALID_UTF8 = 101, "invalid-utf8", Syntax, Error, "The file is not UTF-8 text.";
    CONTROL_CHARACTER = 102, "control-character", Syntax, Error, "A line holds a control character or an invisible one; the line is not read.";
    TEXT_IGNORED = 103, "text-ignored", Syntax, Warning, "Text behind the values of a parameter has no effect.";
    BRACE_ON_LINE = 104, "brace-on-line", Syntax, Warning, "z/OS wants a brace on a line of its own.";
    MISSING_CLOSE = 105, "missing-close", Syntax, Error, "A block is not closed.";
    STRAY_CLOSE = 106, "stray-close", Syntax, Error, "A closing brace closes nothing.";
    STRAY_OPEN = 107, "stray-open", Syntax, Error, "An opening brace follows nothing that takes a block.";
    TOO_DEEP = 108, "too-deep", Syntax, Error, "Blocks are nested too deeply; what is inside is not read.";
    MISSING_BLOCK = 109, "missing-block", Syntax, Error, "A statement needs a block and has none.";
    UNKNOWN_KEYWORD = 110, "unknown-keyword", Syntax, Error, "No statement or parameter has this name.";
    MISPLACED_KEYWORD = 111, "misplaced-keyword", Syntax, Error, "The statement or parameter belongs somewhere else.";
    MISSING_NAME = 112, "missing-name", Syntax, Error, "A statement that is not inline must have a name.";
    BAD_NAME = 113, "bad-name", Syntax, Error, "A name must not begin with a hyphen or contain a comma.";
    NAME_TOO_LONG = 114, "name-too-long", Syntax, Error, "A name has at most 32 characters.";
    NAME_NOT_TAKEN = 115, "name-not-taken", Syntax, Warning, "The statement takes no name.";
    MISSING_VALUE = 116, "missing-value", Syntax, Error, "A parameter lacks a value.";
    BAD_VALUE = 117, "bad-value", Syntax, Error, "A value is not of the kind that the parameter takes.";
    UNKNOWN_CHOICE = 118, "unknown-choice", Syntax, Error, "A value is none of the keywords that the parameter takes.";
    OUT_OF_RANGE = 119, "out-of-range", Syntax, Error, "A number is outside of what the parameter takes.";
    INVERTED_RANGE = 120, "inverted-range", Syntax, Error, "A range ends before it begins.";
    RANGE_DELIMITER = 121, "range-delimiter", Syntax, Error, "A range is written with the wrong delimiter or with two different ones.";
    WRONG_FAMILY = 122, "wrong-family", Syntax, Error, "An address is of the wrong IP version.";
    PREFIX_LENGTH = 123, "prefix-length", Syntax, Error, "A prefix is longer than the address.";
    MAPPED_ADDRESS = 124, "mapped-address", Syntax, Error, "IPv4-mapped addresses and ::/96 are taken only in IP filter rules and identities.";
    DISGUISED_COMMENT = 125, "disguised-comment", Syntax, Warning, "A comment holds a character that may show its end as something else than a comment.";
    TEXT_UNREAD = 126, "text-unread", Syntax, Error, "Text behind the values of a parameter; ignoring it would change what is selected.";
    PROFILE_NO_BLOCK = 131, "profile-no-block", Syntax, Error, "A TCP/IP profile has no `IPSEC` block.";
    PROFILE_ORDER = 132, "profile-order", Syntax, Error, "The words of an `IPSEC` block have a fixed order.";
    PROFILE_LATER_BLOCK = 133, "profile-later-block", Syntax, Note, "Only the first `IPSEC` block of a profile counts.";
    PROFILE_NOT_ENABLED = 134, "profile-not-enabled", Syntax, Warning, "z/OS ignores the `IPSEC` block of a profile that does not enable IP security.";
    UNRESOLVED = 201, "unresolved", Reference, Error, "A reference names something that is not defined.";
    OTHER_KIND = 202, "other-kind", Reference, Error, "A reference names a statement of another kind.";
    DUPLICATE = 203, "duplicate", Reference, Warning, "Two statements of one kind have the same name in one file; the last one is used.";
    OVERRIDDEN = 204, "overridden", Reference, Note, "A statement is replaced by one of the same name in a later file.";
    UNREFERENCED = 205, "unreferenced", Reference, Note, "Nothing refers to a reusable statement.";
    MISSING_PARAMETER = 206, "missing-parameter", Reference, Error, "A required parameter is missing.";
    REPEATED = 207, "repeated", Reference, Warning, "A parameter is given twice; the last one is used.";
    EXCLUSIVE = 208, "exclusive", Reference, Error, "Only one of several parameters may be given.";
    REPEATED_STATEMENT = 209, "repeated-statement", Reference, Warning, "A statement that counts once is repeated; the last one is used.";
    CYCLE = 210, "cycle", Reference, Error, "Statements refer to each other in a circle.";
    WRONG_FILE = 211, "wrong-file", Reference, Error, "Statements stand in a file of the wrong kind.";
    NO_EFFECT_HERE = 212, "no-effect-here", Reference, Warning, "Statements of an image file have no effect in a main file that names the file of its image.";
    FILE_UNREADABLE = 221, "file-unreadable", Reference, Error, "A file that another one names cannot be read.";
    DATA_SET = 222, "data-set", Reference, Error, "An MVS data set is named; only files are read.";
    FILE_ROLE = 223, "file-role", Reference, Error, "One file is named for two purposes.";
    NO_SUCH_STACK = 224, "no-such-stack", Reference, Error, "No `TcpImage` has the wanted name.";
    STACK_TAKEN = 225, "stack-taken", Reference, Note, "Of several stacks the first one is taken.";
    NOT_READ = 226, "not-read", Reference, Note, "A kind of policy that is known and not read yet.";
    COMMON_UNUSED = 227, "common-unused", Reference, Warning, "A common policy file has no effect without the statement of its kind in the image file.";
    NO_POLICY = 228, "no-policy", Reference, Note, "A stack has no policy of the wanted kind; its default rules stay in force.";
    NO_FILTER_POLICY = 301, "no-filter-policy", Meaning, Error, "An IPSec policy has no `IpFilterPolicy`.";
    NO_FILTER_RULES = 302, "no-filter-rules", Meaning, Error, "An `IpFilterPolicy` has no rule.";
    MIXED_FAMILIES = 303, "mixed-families", Meaning, Error, "Source and destination of a rule are of different IP versions.";
    OTHER_PROTOCOL = 304, "other-protocol", Meaning, Error, "Ports, types or codes do not go with the protocol.";
    CODE_WITHOUT_TYPE = 305, "code-without-type", Meaning, Error, "An ICMP code needs one type.";
    CONNECT_NOT_TCP = 306, "connect-not-tcp", Meaning, Error, "A connect qualifier goes with TCP only.";
    ROUTED_SELECTORS = 307, "routed-selectors", Meaning, Error, "Rules for forwarded traffic must not narrow what fragments do not show.";
    NO_TUNNEL = 308, "no-tunnel", Meaning, Error, "The action `IpSec` needs a manual or dynamic VPN action on the rule.";
    TUNNEL_NOT_TAKEN = 310, "tunnel-not-taken", Meaning, Error, "VPN actions go with the action `IpSec` only.";
    START_NOT_DYNAMIC = 311, "start-not-dynamic", Meaning, Error, "Local start actions and identities go with a dynamic VPN action only.";
    LOGGING_NOT_IPSEC = 312, "logging-not-ipsec", Meaning, Error, "`LogPermit` and `LogDeny` go with the action `IpSec` only.";
    TOO_MANY_FILTERS = 313, "too-many-filters", Meaning, Error, "The rules expand to more simple filters than allowed.";
    NO_SUCH_TIME = 314, "no-such-time", Meaning, Error, "A date or time of day does not exist.";
    SHADOWED = 321, "shadowed", Meaning, Warning, "A rule decides nothing because an earlier one matches all its packets.";
    NEVER_MATCHES = 322, "never-matches", Meaning, Warning, "A rule that no packet can match.";
    HOST_BITS = 323, "host-bits", Meaning, Warning, "A prefix has bits behind its length.";
    DISCARD_OF_PERMIT = 324, "discard-of-permit", Meaning, Warning, "`DiscardAction` has no effect on an action that permits.";
    ICMP_VERSION = 325, "icmp-version", Meaning, Warning, "ICMP goes with IPv4 addresses, ICMPv6 with IPv6 addresses.";
    IKE_DENIED = 326, "ike-denied", Meaning, Warning, "A policy with negotiated tunnels permits no IKE.";
    NOT_ALL_COMPARED = 327, "not-all-compared", Meaning, Note, "Too many rules overlap to find all that decide nothing.";
    CONNECT_ROUTED = 328, "connect-routed", Meaning, Warning, "A connect qualifier does not go with forwarded traffic.";
    OTHER_PROTECTION = 401, "other-protection", Meaning, Error, "A parameter of a `ZERTProtection` does not go with its protocol.";
    BAD_VERSION = 402, "bad-version", Meaning, Error, "A version of TLS, or a range of versions, cannot be read.";
    BAD_PATTERN = 403, "bad-pattern", Meaning, Error, "A `*` may stand only at the end of a name.";
    EMPTY_GROUP = 404, "empty-group", Meaning, Error, "A zERT rule refers to an address group without members.";
    TOO_MANY_ADDRESSES = 405, "too-many-addresses", Meaning, Error, "The zERT rules have more addresses than allowed.";
    ZERT_SHADOWED = 421, "zert-shadowed", Meaning, Warning, "A zERT rule decides nothing because an earlier one matches all its connections.";
    IKE_ALGORITHM = 601, "ike-algorithm", Meaning, Error, "Key exchange asks for an algorithm that cannot be used.";
    IKE_COMBINATION = 602, "ike-combination", Meaning, Error, "The encryption and authentication of an offer do not go together.";
    IKE_BUNDLE = 603, "ike-bundle", Meaning, Error, "AH cannot be combined with encryption: IKEv2 negotiates no bundles.";
    IKE_LIFETIME = 604, "ike-lifetime", Meaning, Error, "A proposed lifetime or lifesize is outside of what is accepted.";
    IKE_VERSION_1 = 605, "ike-version-1", Meaning, Error, "IKEv1 is not spoken.";
    IKE_IDENTITY = 606, "ike-identity", Meaning, Error, "An identity cannot be read.";
    IKE_SHARED_KEY = 607, "ike-shared-key", Meaning, Error, "A shared key is missing or cannot be read.";
    IKE_INCONSISTENT = 608, "ike-inconsistent", Meaning, Error, "Key exchange or dynamic tunnels do not hold together.";
    IKE_NO_EFFECT = 621, "ike-no-effect", Meaning, Warning, "A parameter of key exchange has no effect.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_names_are_plain() {
        for pair in CODES.windows(2) {
            assert!(pair[0].code < pair[1].code);
            assert_ne!(pair[0].name, pair[1].name);
        }
        for info in CODES {
            assert_eq!(info.code.info(), Some(info));
            assert!(info.text.ends_with('.') && !info.text.contains('|'));
            let step = match info.code.number() / 100 {
                1 => Step::Syntax,
                2 => Step::Reference,
                _ => Step::Meaning,
            };
            assert_eq!(info.step, step);
        }
    }
}
