//! IP security: filter rules, tunnels, key exchange.

pub mod address;
pub mod endpoint;
pub mod filter;
pub mod key_exchange;
pub mod service;
pub mod time;
pub mod vpn;

use crate::schema::Discipline;

crate::choices! {
    /// Yes or no.
    pub enum YesNo: YES_NO {
        /// It is so.
        Yes = "Yes",
        /// It is not.
        No = "No",
    }
}

crate::choices! {
    /// On or off.
    pub enum OnOff: ON_OFF {
        /// It is done.
        On = "On",
        /// It is not.
        Off = "Off",
    }
}

/// The IP security discipline.
pub static DISCIPLINE: Discipline = Discipline {
    name: "ipsec",
    title: "IP security policy",
    file: "an IPSec policy file",
    text: "The statements of the files that `CommonIpSecConfig` and `IpSecConfig` name: IP filter rules, \
           and the actions for the tunnels they may ask for.",
    statements: &[
        &filter::IP_FILTER_POLICY,
        &filter::IP_FILTER_GROUP,
        &filter::IP_FILTER_RULE,
        &filter::IP_GENERIC_FILTER_ACTION,
        &service::IP_SERVICE,
        &service::IP_SERVICE_GROUP,
        &address::IP_ADDR,
        &address::IP_ADDR_SET,
        &address::IP_ADDR_GROUP,
        &time::IP_TIME_CONDITION,
        &vpn::IP_MAN_VPN_ACTION,
        &vpn::IP_DYN_VPN_ACTION,
        &vpn::IP_DATA_OFFER,
        &vpn::IP_LOCAL_START_ACTION,
        &vpn::LOCAL_DYN_VPN_POLICY,
        &vpn::LOCAL_DYN_VPN_GROUP,
        &vpn::LOCAL_DYN_VPN_RULE,
        &key_exchange::KEY_EXCHANGE_POLICY,
        &key_exchange::KEY_EXCHANGE_GROUP,
        &key_exchange::KEY_EXCHANGE_RULE,
        &key_exchange::KEY_EXCHANGE_ACTION,
        &key_exchange::KEY_EXCHANGE_OFFER,
        &key_exchange::IKE_CONFIG,
        &endpoint::LOCAL_SECURITY_ENDPOINT,
        &endpoint::REMOTE_SECURITY_ENDPOINT,
    ],
    codes: &[],
};
