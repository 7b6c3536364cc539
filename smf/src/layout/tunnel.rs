//! Sections of subtypes 73 to 80, IPsec tunnels. Only their heads are known; what follows there
//! is a proposal of this project, which is written only when asked for
//! ([`Level::Extended`](crate::Level::Extended)) and read only from a section of exactly that
//! length. No compatibility is promised beyond the heads.

use crate::codes::{
    ActivationMethod, Encapsulation, IkeTunnelFlags, IpTunnelFlags, IpTunnelType,
    MonitorAuthentication, MonitorEncryption, SecurityProtocol,
};
use crate::ebcdic::Text;
use crate::field::{Address, Bytes, Reserved, section};
use crate::time::Tod;

section! {
    /// A manual or dynamic tunnel: first section of subtypes 75 to 80.
    IpTunnel "IP tunnel" {
        [C] tunnel_id: Text<48>, "Tunnel ID", "Tunnel id.";
        [C] action_name: Text<48>, "VPN action", "Name of the VPN action.";
        [C] flags: IpTunnelFlags, "Flags", "Family of the endpoints, FIPS 140.";
        [C] tunnel_type: IpTunnelType, "Type", "Kind of tunnel.";
        [C] state: u8, "State", "1 is inactive; other values are unconfirmed.";
    }
    extended {
        [U] encapsulation: Encapsulation, "", "Encapsulation mode.";
        [U] protocol: SecurityProtocol, "", "ESP or AH.";
        [U] authentication: MonitorAuthentication, "", "Message authentication.";
        [U] encryption: MonitorEncryption, "", "Encryption.";
        [U] key_len: u16, "", "Length of the encryption key in bits.";
        [U] in_spi: u32, "", "Inbound SPI.";
        [U] out_spi: u32, "", "Outbound SPI.";
        [U] activation: ActivationMethod, "", "Who wanted the tunnel.";
        [U] reserved1: Reserved<3>, "", "Reserved.";
        [U] local_endpoint: Address, "", "Local security endpoint.";
        [U] remote_endpoint: Address, "", "Remote security endpoint.";
        [U] in_packets: u64, "", "Inbound packets.";
        [U] out_packets: u64, "", "Outbound packets.";
        [U] in_bytes: u64, "", "Inbound bytes.";
        [U] out_bytes: u64, "", "Outbound bytes.";
        [U] start: Tod, "", "When it was activated.";
    }
}

section! {
    /// An IKE tunnel: first section of subtypes 73 and 74.
    IkeTunnel "IKE tunnel" {
        [C] flags: IkeTunnelFlags, "Flags", "Family of the endpoints, NAT, FIPS 140.";
    }
    extended {
        [U] tunnel_id: Text<48>, "", "Tunnel id.";
        [U] key_exchange_rule: Text<48>, "", "Name of the key exchange rule.";
        [U] action_name: Text<48>, "", "Name of the key exchange action.";
        [U] local_endpoint: Address, "", "Local security endpoint.";
        [U] remote_endpoint: Address, "", "Remote security endpoint.";
        [U] reserved1: Reserved<4>, "", "Reserved.";
        [U] initiator_cookie: Bytes<8>, "", "Initiator's cookie or SPI.";
        [U] responder_cookie: Bytes<8>, "", "Responder's cookie or SPI.";
        [U] ike_major: u8, "", "Major version of IKE.";
        [U] ike_minor: u8, "", "Minor version of IKE.";
        [U] exchange_mode: u8, "", "Exchange mode.";
        [U] state: u8, "", "State of the tunnel.";
        [U] authentication: MonitorAuthentication, "", "Message authentication.";
        [U] encryption: MonitorEncryption, "", "Encryption.";
        [U] key_len: u16, "", "Length of the encryption key in bits.";
        [U] group: u16, "", "Diffie-Hellman group.";
        [U] prf: MonitorAuthentication, "", "Pseudo-random function.";
        [U] role: crate::codes::LocalRole, "", "1 is initiator, 2 responder.";
        [U] local_authentication: u8, "", "How the local end is authenticated.";
        [U] remote_authentication: u8, "", "How the remote end is authenticated.";
        [U] nat_level: u8, "", "Level of NAT traversal.";
        [U] reserved2: Reserved<1>, "", "Reserved.";
        [U] lifesize: u32, "", "Life in Kbytes.";
        [U] lifetime: u32, "", "Life in minutes.";
        [U] generation: u32, "", "Generation of the tunnel.";
        [U] reserved3: Reserved<4>, "", "Reserved.";
        [U] in_bytes: u64, "", "Inbound bytes protected by the tunnel.";
        [U] out_bytes: u64, "", "Outbound bytes protected by the tunnel.";
        [U] refresh: Tod, "", "When it is to be refreshed.";
        [U] expire: Tod, "", "When it expires.";
    }
}
