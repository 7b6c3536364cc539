//! The words of the `IPSEC` block, each once: spelling, abbreviation, meaning, default.

use alloc::format;
use alloc::string::String;

/// A word; its capital letters, digits included, are the shortest abbreviation.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Word {
    /// The spelling of the documentation, such as `LOGENable`.
    pub name: &'static str,
    /// What follows it, as in a syntax diagram.
    pub values: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What holds when neither it nor an alternative is given.
    pub default: bool,
    /// Whether the manual's page was read.
    pub confirmed: bool,
}

impl Word {
    const fn new(name: &'static str, values: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            values,
            meaning,
            default: false,
            confirmed: true,
        }
    }

    const fn default(mut self) -> Self {
        self.default = true;
        self
    }

    const fn unconfirmed(mut self) -> Self {
        self.confirmed = false;
        self
    }

    /// Whether a text is this word or an abbreviation of it that is long enough.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        let shortest = self
            .name
            .find(|c: char| c.is_ascii_lowercase())
            .unwrap_or(self.name.len());
        text.len() >= shortest
            && self
                .name
                .get(..text.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(text))
    }
}

macro_rules! words {
    ($($constant:ident = $name:literal $values:literal $meaning:literal $(.$method:ident())*;)*) => {
        $(pub(super) static $constant: Word = Word::new($name, $values, $meaning)$(.$method())*;)*

        /// All words, in the order of the syntax diagram.
        pub static WORDS: &[&Word] = &[$(&$constant),*];
    };
}

words! {
    IPSEC = "IPSEC" "" "Begins the block. Only the first block of a profile counts.";
    DVIPSEC = "DVIPSEC" "" "Tunnels on dynamic VIPAs may be distributed and taken over in the sysplex. Kept; it has no effect on filtering.";
    DVLOCALFLTR = "DVLOCALFLTR" "" "Distributed traffic of dynamic VIPAs is filtered locally. Kept; it has no effect on one host.".unconfirmed();
    LOGDISABLE = "LOGDISable" "" "The default rules tell nothing, whatever each says.".default();
    LOGENABLE = "LOGENable" "" "The default rules tell what each asks for.";
    NOLOGIMPLICIT = "NOLOGImplicit" "" "Packets that no rule matched are not told of.".default();
    LOGIMPLICIT = "LOGImplicit" "" "Packets that no rule matched are told of, when logging is enabled.";
    RULE4 = "IPSECRule" "src dst" "Permits IPv4 traffic. `src` and `dst` are an address, address/prefix, address - address, or `*`; for a bidirectional rule the source is the local side.";
    RULE6 = "IPSEC6Rule" "src dst" "Permits IPv6 traffic, in the same way.";
    NOLOG = "NOLOG" "" "Matches of this rule are not told.".default().unconfirmed();
    LOG = "LOG" "" "Matches of this rule are told, when logging is enabled.";
    PROTOCOL = "PROTOcol" "*|TCP|UDP|ICMP|OSPF|ICMPV6|MIPV6|OPAQUE|n" "The upper-layer protocol, by name or number; `*` is every one. `OPAQUE` is an IPv6 fragment that does not show its protocol.";
    SRCPORT = "SRCPort" "*|n [m]" "Source port or range, 1 to 65535; with TCP and UDP.";
    DESTPORT = "DESTport" "*|n [m]" "Destination port or range, 1 to 65535; with TCP and UDP.";
    TYPE = "TYPE" "*|n [m]" "Type or range, 0 to 255; with ICMP, ICMPV6, OSPF and MIPV6.";
    CODE = "CODE" "*|n [m]" "Code or range, 0 to 255; with ICMP and ICMPV6, and only together with a type.";
    ROUTING = "ROUTING" "LOCAL|ROUTED|EITHER" "Traffic of this host, forwarded traffic, or both. `LOCAL` when it is not given.";
    FRAGMENTSONLY = "FRAGMENTSonly" "" "Fragments only, behind `ROUTED` or `EITHER`.".unconfirmed();
    SECCLASS = "SECCLASS" "n" "Security class of the interface, 0 to 255; 0 is any.";
    DIRECTION = "DIRECtion" "BIDIrectional|INBound|OUTBound" "Which way packets go. `BIDIrectional` when it is not given.";
    INBCONNECT = "INBConnect" "" "TCP connections may be opened from the remote side only.";
    OUTBCONNECT = "OUTBConnect" "" "TCP connections may be opened from this side only.";
    ENDIPSEC = "ENDIPSEC" "" "Ends the block.";
}

/// The reference page of the block, made from the words.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(PAGE);
    page.push_str("| word | values | meaning | default | confirmed |\n|---|---|---|---|---|\n");
    for w in WORDS {
        let values = match w.values {
            "" => String::new(),
            values => format!("`{}`", values.replace('|', "\\|")),
        };
        let yes = |b: bool| if b { "yes" } else { "" };
        page.push_str(&format!(
            "| `{}` | {values} | {} | {} | {} |\n",
            w.name,
            w.meaning,
            yes(w.default),
            yes(w.confirmed),
        ));
    }
    page
}

const PAGE: &str = "\
# The IPSEC block of a TCP/IP profile

The default rules of a stack: in force until an IP security policy is installed, when the policy
cannot be installed, and whenever the operator asks for them. They only permit; what none of them
permits is denied, but for neighbour discovery and multicast listener messages of ICMPv6
(`SYSDEFAULTNDRULE`), which the stack itself needs. In displays and logs the rules are called
`SYSDEFAULTRULE.n`, counted from 1, and the implied deny `SYSDEFAULTDENYRULE`.

```text
IPSEC [DVIPSEC] [DVLOCALFLTR] [LOGENable | LOGDISable] [LOGImplicit | NOLOGImplicit]
  IPSECRule  src dst [LOG | NOLOG] [PROTOcol …] [ROUTING …] [SECCLASS n] [DIRECtion …]
  IPSEC6Rule src dst [LOG | NOLOG] [PROTOcol …] [ROUTING …] [SECCLASS n] [DIRECtion …]
ENDIPSEC
```

* Words are separated by blanks and line ends, in any number on a line; `;` begins a comment. Case
  does not count, and a word may be cut down to its capital letters: `PROTO` is `PROTOcol`.
* The order of the words is fixed. All of a rule behind its two addresses is optional.
* `PROTOcol TCP` and `UDP` may be followed by `SRCPort` and `DESTport`; `ICMP` and `ICMPV6` by
  `TYPE` and `CODE`; `OSPF` and `MIPV6` by `TYPE`. `ICMPV6`, `MIPV6` and `OPAQUE` stand in IPv6
  rules. Other protocols are written as numbers.
* A rule for forwarded traffic must not ask for ports, types or codes: fragments that are forwarded
  do not show them.
* Only the first block of a profile counts, and z/OS ignores it without `IPCONFIG IPSECURITY` (for
  IPv6 rules also `IPCONFIG6 IPSECURITY`). What else stands in the profile is not read.

What the manual's page was not seen for is marked by an empty last column.

";

/// The protocols that have names here: word, number, and whether only IPv6 rules take it.
pub(super) static PROTOCOLS: &[(&str, u8, bool)] = &[
    ("TCP", 6, false),
    ("UDP", 17, false),
    ("ICMP", 1, false),
    ("OSPF", 89, false),
    ("ICMPV6", 58, true),
    ("MIPV6", 135, true),
];

pub(super) static LOCAL: Word = Word::new("LOCAL", "", "");
pub(super) static ROUTED: Word = Word::new("ROUTED", "", "");
pub(super) static EITHER: Word = Word::new("EITHER", "", "");
pub(super) static BIDIRECTIONAL: Word = Word::new("BIDIrectional", "", "");
pub(super) static INBOUND: Word = Word::new("INBound", "", "");
pub(super) static OUTBOUND: Word = Word::new("OUTBound", "", "");
