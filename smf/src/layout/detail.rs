//! Sections of subtype 11, zERT connection detail (`SMF119SC_…`).

use super::Certificate;
use crate::codes::{
    Authentication, CryptoFlags, DetailEvent, DetailFlags, Encapsulation, Encryption, FilterAction,
    FipsMode, Group, HandshakeRole, HandshakeType, IkeAuthentication, IpProtocol, KexMethod,
    KeyExchange, KeyType, LocalRole, Prf, Protocols, SecurityFlags, SecurityProtocol, Source,
    TlsVersion, TunnelFlags, TunnelState, TunnelType, UserAuthentication,
};
use crate::ebcdic::Text;
use crate::field::{Address, Bytes, Reserved, section};
use crate::time::{SmfDate, SmfTime};

section! {
    /// The connection. Names, order and widths are described by others; of the four counters only
    /// that they are wider than four bytes.
    ConnectionCommon "zERT connection detail" {
        [P] event: DetailEvent, "SAEvent_Type", "What happened.";
        [P] protocols: Protocols, "SASecProtos", "Security protocols in effect.";
        [P] flags: DetailFlags, "SAFlags", "Family of the addresses, and whether AT-TLS was bypassed.";
        [P] security_flags: SecurityFlags, "SASecFlags", "Whether IP filtering is active, and which handshake failed.";
        [P] ip_protocol: IpProtocol, "SAIPProto", "TCP, or UDP for Enterprise Extender.";
        [P] reserved1: Reserved<3>, "", "Reserved.";
        [P] job_name: Text<8>, "SAJobname", "Job that owns the socket.";
        [P] job_id: Text<8>, "SAJobID", "Its JES job id.";
        [P] user: Text<8>, "SAUserID", "User id of the socket.";
        [P] start_time: SmfTime, "SASTime", "Local time at which the connection was established.";
        [P] start_date: SmfDate, "SASDate", "The date of that.";
        [P] end_time: SmfTime, "SAETime", "Local time of its end; 0 unless it has ended.";
        [P] end_date: SmfDate, "SAEDate", "The date of that; none unless it has ended.";
        [P] remote_ip: Address, "SARIP", "Remote IP address.";
        [P] local_ip: Address, "SALIP", "Local IP address.";
        [P] remote_port: u16, "SARPort", "Remote port.";
        [P] local_port: u16, "SALPort", "Local port.";
        [P] connection_id: u32, "SAConnID", "The stack's connection id.";
        [P] in_bytes: u64, "SAInBytes", "Inbound bytes so far.";
        [P] out_bytes: u64, "SAOutBytes", "Outbound bytes so far.";
        [P] in_segments: u64, "SAInSegDG", "Inbound TCP segments or UDP datagrams so far.";
        [P] out_segments: u64, "SAOutSegDG", "Outbound TCP segments or UDP datagrams so far.";
    }
    extended {
        [U] reserved3: Reserved<1>, "", "Reserved: which handshake failed stands in `security_flags`.";
        [U] local_role: LocalRole, "SALocalRole", "Role of the local socket.";
        [U] reserved2: Reserved<6>, "", "Reserved.";
    }
}

section! {
    /// The IP filter rules that permit the connection.
    IpFilter "IP filter" {
        [P] out_action: FilterAction, "IPFlt_OutAct", "Action of the outbound rule.";
        [P] in_action: FilterAction, "IPFlt_InbAct", "Action of the inbound rule.";
        [P] reserved1: Reserved<2>, "IPFlt_Rsvd1", "Reserved.";
        [P] out_rule: Text<40>, "IPFlt_OutRuleName", "Name of the outbound rule.";
        [P] out_rule_extension: Text<8>, "IPFlt_OutRuleExt", "Extension of that name.";
        [P] in_rule: Text<40>, "IPFlt_InRuleName", "Name of the inbound rule.";
        [P] in_rule_extension: Text<8>, "IPFlt_InRuleExt", "Extension of that name.";
    }
}

section! {
    /// The TLS session of the connection.
    ConnectionTls "TLS" {
        [P] version: TlsVersion, "TLS_Prot_Ver", "Protocol version.";
        [P] source: Source, "TLS_Source", "Who told it.";
        [P] handshake_type: HandshakeType, "TLS_Handshake_Type", "Full or abbreviated handshake.";
        [P] handshake_role: HandshakeRole, "TLS_Handshake_Role", "Local role in the handshake.";
        [P] reserved1: Reserved<2>, "TLS_Rsvd1", "Reserved.";
        [P] session_id_len: u8, "TLS_Session_ID_Len", "Length of the session id, up to 32.";
        [P] session_id: Bytes<32>, "TLS_Session_ID", "Session id, left-justified.";
        [P] provider: Text<16>, "TLS_Protocol_Provider", "Name of the provider; blank when observed.";
        [P] cipher: Text<6>, "TLS_Neg_Cipher", "Cipher suite in hexadecimal digits: four, or six for SSLv2.";
        [P] encryption: Encryption, "TLS_CS_Enc_Alg", "Encryption.";
        [P] authentication: Authentication, "TLS_CS_Msg_Auth", "Message authentication.";
        [P] key_exchange: KeyExchange, "TLS_CS_Kex_Alg", "Key exchange.";
        [P] fips_mode: FipsMode, "TLS_FIPS_Mode", "FIPS 140 mode.";
        [P] crypto_flags: CryptoFlags, "TLS_CryptoFlags", "Encrypt-then-MAC and the like.";
        [P] reserved2: Reserved<2>, "TLS_Rsvd2", "Reserved.";
        [P] server_certificate: Certificate, "TLS_SCert", "Server's certificate.";
        [P] client_certificate: Certificate, "TLS_CCert", "Client's certificate.";
    }
}

section! {
    /// The SSH session of the connection. The width of the fingerprints is unconfirmed.
    ConnectionSsh "SSH" {
        [P] version: u8, "SSH_Prot_Ver", "Protocol version: 1, 2, or 0 for unknown.";
        [P] source: Source, "SSH_Source", "Who told it.";
        [P] fips_mode: FipsMode, "SSH_FIPS_Mode", "FIPS 140 mode.";
        [P] crypto_flags: CryptoFlags, "SSH_CryptoFlags", "Encrypt-then-MAC and the like.";
        [P] reserved1: Reserved<4>, "SSH_Rsvd1", "Reserved.";
        [P] compression: Text<8>, "SSH_Comp", "Compression; its words are unconfirmed.";
        [P] provider: Text<16>, "SSH_Protocol_Provider", "Name of the provider; blank when observed.";
        [P] user_authentication: UserAuthentication, "SSH_Auth_Method", "How the user was authenticated.";
        [P] user_authentication2: UserAuthentication, "SSH_Auth_Method2", "The second method, if two were required.";
        [P] in_encryption: Encryption, "SSH_In_Enc_Alg", "Inbound encryption.";
        [P] in_authentication: Authentication, "SSH_In_Msg_Auth", "Inbound message authentication.";
        [P] kex_method: KexMethod, "SSH_Kex_Method", "Key exchange method.";
        [P] out_encryption: Encryption, "SSH_Out_Enc_Alg", "Outbound encryption.";
        [P] out_authentication: Authentication, "SSH_Out_Msg_Auth", "Outbound message authentication.";
        [P] reserved2: Reserved<2>, "SSH_Rsvd2", "Reserved.";
        [P] server_key_type: KeyType, "SSH_SKey_Type", "Kind of the server's raw host key.";
        [P] server_key_len: u16, "SSH_SKey_Len", "Its length in bits.";
        [P] client_key_type: KeyType, "SSH_CKey_Type", "Kind of the client's raw key.";
        [P] client_key_len: u16, "SSH_CKey_Len", "Its length in bits.";
        [P] server_fingerprint_len: u16, "SSH_SKey_FPLen", "Length of the server key's fingerprint.";
        [P] client_fingerprint_len: u16, "SSH_CKey_FPLen", "Length of the client key's fingerprint.";
        [U] server_fingerprint: Text<64>, "SSH_SKey_FP", "Fingerprint of the server's key.";
        [U] client_fingerprint: Text<64>, "SSH_CKey_FP", "Fingerprint of the client's key.";
        [P] server_certificate: Certificate, "SSH_SCert", "Server's certificate.";
        [P] client_certificate: Certificate, "SSH_CCert", "Client's certificate.";
    }
}

section! {
    /// The IPsec tunnel of the connection.
    ConnectionIpsec "IPsec" {
        [P] ike_tunnel_id: u32, "IPSec_IKETunID", "IKE tunnel id; 0 for a manual tunnel.";
        [P] ike_major: u8, "IPSec_IKEMajVer", "Major version of IKE.";
        [P] ike_minor: u8, "IPSec_IKEMinVer", "Minor version of IKE.";
        [P] reserved1: Reserved<2>, "IPSec_Rsvd1", "Reserved.";
        [P] key_exchange_rule: Text<48>, "IPSec_IKETunKeyExchRule", "Name of the key exchange rule.";
        [P] local_endpoint: Address, "IPSec_IKETunLclEndpt", "Local security endpoint.";
        [P] remote_endpoint: Address, "IPSec_IKETunRmtEndpt", "Remote security endpoint.";
        [P] local_authentication: IkeAuthentication, "IPSec_IKETunLclAuthMeth", "How the local end is authenticated.";
        [P] remote_authentication: IkeAuthentication, "IPSec_IKETunRmtAuthMeth", "How the remote end is authenticated.";
        [P] ike_authentication: Authentication, "IPSec_IKETunAuthAlg", "Message authentication of the IKE tunnel.";
        [P] ike_encryption: Encryption, "IPSec_IKETunEncAlg", "Encryption of the IKE tunnel.";
        [P] ike_group: Group, "IPSec_IKETunDHGroup", "Diffie-Hellman group of the IKE tunnel.";
        [P] ike_prf: Prf, "IPSec_IKETunPseudoRandFunc", "Pseudo-random function of the IKE tunnel.";
        [P] ike_lifesize: u32, "IPSec_IKETunLifesize", "Life of the IKE tunnel in Kbytes; 0 is without end.";
        [P] ike_lifetime: u32, "IPSec_IKETunLifetime", "Life of the IKE tunnel in minutes (unit unconfirmed).";
        [P] reauthentication: u32, "IPSec_IKETunReauthIntvl", "Minutes between authentications (unit unconfirmed).";
        [P] local_certificate: Certificate, "IPSec_LclCert", "Local certificate.";
        [P] remote_certificate: Certificate, "IPSec_RmtCert", "Remote certificate.";
        [P] tunnel_id: u32, "IPSec_TunID", "Id of the dynamic or manual tunnel.";
        [P] tunnel_flags: TunnelFlags, "IPSec_TunFlags", "Family of the endpoints and the like.";
        [P] tunnel_type: TunnelType, "IPSec_TunType", "Kind of tunnel.";
        [P] tunnel_state: TunnelState, "IPSec_TunState", "State of the tunnel.";
        [P] reserved2: Reserved<1>, "IPSec_Rsvd4", "Reserved.";
        [P] encapsulation: Encapsulation, "IPSec_EncapMode", "Encapsulation mode.";
        [P] protocol: SecurityProtocol, "IPSec_AuthProto", "ESP or AH.";
        [P] authentication: Authentication, "IPSec_AuthAlg", "Message authentication.";
        [P] encryption: Encryption, "IPSec_EncAlg", "Encryption.";
        [P] pfs_group: Group, "IPSec_PFSGroup", "Group of perfect forward secrecy.";
        [P] lifesize: u32, "IPSec_Lifesize", "Life in Kbytes.";
        [P] lifetime: u32, "IPSec_Lifetime", "Life in minutes (unit unconfirmed).";
        [P] life_expire: u32, "IPSec_VPNLifeExpire", "Life of the virtual private network.";
    }
}
