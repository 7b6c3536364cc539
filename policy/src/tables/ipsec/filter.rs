//! Filter rules and what they make of a packet.

use crate::schema::{Keyword, Naming, Parameter};

use super::address::{END, END_SET, IP_ADDR, IP_ADDR_GROUP, IP_ADDR_SET};
use super::endpoint::IDENTITY;
use super::service::{IP_SERVICE, IP_SERVICE_GROUP};
use super::time::IP_TIME_CONDITION;
use super::vpn::{IP_DYN_VPN_ACTION, IP_LOCAL_START_ACTION, IP_MAN_VPN_ACTION};
use super::{ON_OFF, YES_NO};

crate::choices! {
    /// What happens to a packet.
    pub enum FilterAction: FILTER_ACTION {
        /// It passes.
        Permit = "Permit",
        /// It is discarded.
        Deny = "Deny",
        /// It must go or have come through a tunnel.
        IpSec = "IpSec",
    }
}

crate::choices! {
    /// Which outcomes are logged.
    pub enum FilterLogging: FILTER_LOGGING {
        /// None.
        No = "No",
        /// All.
        Yes = "Yes",
        /// Packets that pass; only with `IpSec`.
        LogPermit = "LogPermit",
        /// Packets that are discarded; only with `IpSec`.
        LogDeny = "LogDeny",
    }
}

crate::choices! {
    /// What the sender of a discarded packet learns.
    pub enum DiscardAction: DISCARD_ACTION {
        /// Nothing.
        Silent = "Silent",
        /// ICMP: administratively prohibited.
        Icmp = "ICMP",
    }
}

crate::statements! {
    /// `IpGenericFilterAction`.
    ip_generic_filter_action: IP_GENERIC_FILTER_ACTION = Statement::new(
        "IpGenericFilterAction", "What happens to a packet.",
    ) {
        IP_FILTER_ACTION = Parameter::new(&[Keyword::line("IpFilterAction", &FILTER_ACTION)],
            "The decision. `IpSec` asks for a manual or dynamic VPN action on the rule.").required(),
        IP_FILTER_LOGGING = Parameter::new(&[Keyword::line("IpFilterLogging", &FILTER_LOGGING)],
            "Which outcomes are logged.").default("No"),
        DISCARD_ACTION = Parameter::new(&[Keyword::line("DiscardAction", &DISCARD_ACTION)],
            "What the sender of a discarded packet learns.").default("Silent"),
    }

    /// `IpFilterRule`.
    ip_filter_rule: IP_FILTER_RULE = Statement::new(
        "IpFilterRule", "Which packets, and what happens to them.",
    ).naming(Naming::Required).text(
        "Of a bidirectional service the source is the local side and the destination the remote one.",
    ) {
        SOURCE = Parameter::new(
            &[
                Keyword::either("IpSourceAddr", &END, &IP_ADDR),
                Keyword::reference("IpSourceAddrRef", &IP_ADDR),
                Keyword::either("IpSourceAddrSet", &END_SET, &IP_ADDR_SET),
                Keyword::reference("IpSourceAddrSetRef", &IP_ADDR_SET),
                Keyword::block("IpSourceAddrGroup", &IP_ADDR_GROUP),
                Keyword::reference("IpSourceAddrGroupRef", &IP_ADDR_GROUP),
            ],
            "The source; the local side of a bidirectional service.",
        ).default("All"),
        DESTINATION = Parameter::new(
            &[
                Keyword::either("IpDestAddr", &END, &IP_ADDR),
                Keyword::reference("IpDestAddrRef", &IP_ADDR),
                Keyword::either("IpDestAddrSet", &END_SET, &IP_ADDR_SET),
                Keyword::reference("IpDestAddrSetRef", &IP_ADDR_SET),
                Keyword::block("IpDestAddrGroup", &IP_ADDR_GROUP),
                Keyword::reference("IpDestAddrGroupRef", &IP_ADDR_GROUP),
            ],
            "The destination; the remote side of a bidirectional service.",
        ).default("All"),
        SERVICES = Parameter::new(
            &[
                Keyword::block("IpService", &IP_SERVICE),
                Keyword::reference("IpServiceRef", &IP_SERVICE),
                Keyword::reference("IpServiceGroupRef", &IP_SERVICE_GROUP),
                Keyword::block("IpServiceGroup", &IP_SERVICE_GROUP),
            ],
            "The kinds of traffic; one of them must fit.",
        ).list().absent("all traffic of this host").unconfirmed(),
        TIME_CONDITIONS = Parameter::new(
            &[
                Keyword::block("IpTimeCondition", &IP_TIME_CONDITION),
                Keyword::reference("IpTimeConditionRef", &IP_TIME_CONDITION),
            ],
            "When the rule is in force; one of them must hold.",
        ).list().absent("always").unconfirmed(),
        ACTION = Parameter::new(
            &[
                Keyword::reference("IpGenericFilterActionRef", &IP_GENERIC_FILTER_ACTION),
                Keyword::block("IpGenericFilterAction", &IP_GENERIC_FILTER_ACTION),
            ],
            "What happens to the packet.",
        ).required(),
        VPN_ACTION = Parameter::new(
            &[
                Keyword::reference("IpManVpnActionRef", &IP_MAN_VPN_ACTION),
                Keyword::reference("IpDynVpnActionRef", &IP_DYN_VPN_ACTION),
                Keyword::block("IpManVpnAction", &IP_MAN_VPN_ACTION),
                Keyword::block("IpDynVpnAction", &IP_DYN_VPN_ACTION),
            ],
            "The tunnel; needed with `IpFilterAction IpSec` and only then.",
        ).absent("none"),
        LOCAL_START_ACTION = Parameter::new(
            &[
                Keyword::reference("IpLocalStartActionRef", &IP_LOCAL_START_ACTION),
                Keyword::block("IpLocalStartAction", &IP_LOCAL_START_ACTION),
            ],
            "What is negotiated when this host starts; only with a dynamic VPN action.",
        ).absent("what the packet shows"),
        REMOTE_IDENTITY = Parameter::new(&[Keyword::line("RemoteIdentity", &IDENTITY)],
            "The peer that a dynamic tunnel must be with.").absent("any").unconfirmed(),
    }

    /// `IpFilterGroup`.
    ip_filter_group: IP_FILTER_GROUP = Statement::new("IpFilterGroup", "Rules in their order.") {
        RULES = Parameter::new(
            &[
                Keyword::reference("IpFilterRuleRef", &IP_FILTER_RULE),
                Keyword::block("IpFilterRule", &IP_FILTER_RULE),
            ],
            "The rules, in the order in which they are tried.",
        ).list_not_empty(),
    }

    /// `IpFilterPolicy`.
    ip_filter_policy: IP_FILTER_POLICY = Statement::new(
        "IpFilterPolicy", "The rules that are in force, in the order in which they are tried.",
    ).root().text(
        "The first rule that matches a packet decides; a packet that none matches is denied. A policy without \
         this statement, or with no rule in it, is not installed.",
    ) {
        PRE_DECAP = Parameter::new(&[Keyword::line("PreDecap", &ON_OFF)],
            "Whether AH and ESP packets must pass the rules themselves, before they are opened.").default("Off"),
        FILTER_LOGGING = Parameter::new(&[Keyword::line("FilterLogging", &ON_OFF)],
            "The switch for all logging of rules.").default("On"),
        LOG_IMPLICIT = Parameter::new(&[Keyword::line("IpFilterLogImplicit", &YES_NO)],
            "Whether packets that no rule matched are logged.").default("No").unconfirmed(),
        IMPLICIT_DISCARD_ACTION = Parameter::new(&[Keyword::line("ImplicitDiscardAction", &DISCARD_ACTION)],
            "What the sender of a packet that no rule matched learns.").default("Silent"),
        ALLOW_ON_DEMAND = Parameter::new(&[Keyword::line("AllowOnDemand", &YES_NO)],
            "Whether outbound packets may start the negotiation of a tunnel.").default("No").unconfirmed(),
        FIPS140 = Parameter::new(&[Keyword::line("FIPS140", &YES_NO)],
            "Whether only algorithms that FIPS 140 allows are used.").default("No"),
        RULES = Parameter::new(
            &[
                Keyword::reference("IpFilterRuleRef", &IP_FILTER_RULE),
                Keyword::block("IpFilterRule", &IP_FILTER_RULE),
                Keyword::reference("IpFilterGroupRef", &IP_FILTER_GROUP),
                Keyword::block("IpFilterGroup", &IP_FILTER_GROUP),
            ],
            "Rules and groups of rules, in the order in which they are tried.",
        ).list_not_empty(),
    }
}
