//! Tunnels.

use crate::schema::Statement;

crate::statements! {
    /// `IpManVpnAction`.
    ip_man_vpn_action: IP_MAN_VPN_ACTION = Statement::new("IpManVpnAction", "A manual tunnel.") {}
    /// `IpDynVpnAction`.
    ip_dyn_vpn_action: IP_DYN_VPN_ACTION = Statement::new("IpDynVpnAction", "A negotiated tunnel.") {}
    /// `IpLocalStartAction`.
    ip_local_start_action: IP_LOCAL_START_ACTION = Statement::new("IpLocalStartAction", "What this side starts.") {}
}
