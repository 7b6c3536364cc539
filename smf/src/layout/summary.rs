//! Sections of subtype 12, zERT summary (`SMF119SS_…`).

use super::{CertificateKind, CertificateValidity};
use crate::codes::{
    Authentication, CryptoFlags, Encapsulation, Encryption, Group, IkeAuthentication, IpProtocol,
    KexMethod, KeyExchange, KeyType, LocalRole, Prf, Protocols, SecurityProtocol, Source,
    SummaryEvent, SummaryFlags, TlsVersion, UserAuthentication,
};
use crate::ebcdic::Text;
use crate::field::{Address, FieldInfo, Reserved, Section as _, group, section, without};
use crate::time::TodDuration;

group! {
    /// The counters of a session at one end of the interval. All but the active connections count
    /// from when the session was first seen.
    Counters {
        [P] connections: u32, "LifeConnCnt", "Connections of the session.";
        [P] partial_connections: u32, "LifePartialConnCnt", "Those it protected for a part of their life only.";
        [P] short_connections: u32, "LifeShortConnCnt", "Those that lived less than 10 seconds.";
        [P] active_connections: u32, "ActiveConnCnt", "Connections active at that moment.";
        [P] in_bytes: u64, "LifeInBytes", "Inbound bytes.";
        [P] out_bytes: u64, "LifeOutBytes", "Outbound bytes.";
        [P] in_segments: u64, "LifeInSegDG", "Inbound TCP segments or UDP datagrams.";
        [P] out_segments: u64, "LifeOutSegDG", "Outbound TCP segments or UDP datagrams.";
    }
}

section! {
    /// The session, seen from the server: who talks to whom, and how much.
    ///
    /// Activity in the interval is [`end`](Self::end) less [`init`](Self::init).
    SummaryCommon "zERT summary" {
        [P] interval: TodDuration, "SAIntervalDuration", "Length of the interval.";
        [P] event: SummaryEvent, "SAEvent_Type", "What happened.";
        [P] flags: SummaryFlags, "SAFlags", "Family of the addresses, and the local role.";
        [P] protocols: Protocols, "SASecProtos", "Security protocol; 0 is no recognized protection.";
        [P] reserved1: Reserved<1>, "", "Reserved.";
        [P] job_name: Text<8>, "SAJobname", "Job that opened the local socket.";
        [P] user: Text<8>, "SAUserID", "User id of the socket.";
        [P] ip_protocol: IpProtocol, "SAIPProto", "TCP, or UDP for Enterprise Extender.";
        [P] reserved2: Reserved<3>, "", "Reserved.";
        [P] server_ip: Address, "SASrvIP", "IP address of the server.";
        [P] client_ip: Address, "SACltIP", "IP address of the client.";
        [P] server_port: u16, "SASrvPortStart", "First port of the server.";
        [P] server_port_end: u16, "SASrvPortEnd", "Last port of the server.";
        [C] session_id: Text<42>, "SASessionID", "Text that identifies the session.";
        [P] reserved3: Reserved<2>, "", "Reserved.";
        [P] init: Counters, "SAInit", "Counters at the interval's start.";
        [P] end: Counters, "SAEnd", "Counters at the interval's end.";
    }
    extended {
        [U] init_failed_handshakes: u32, "SAInitLifeHsFailCnt", "Failed handshakes at the interval's start.";
        [U] end_failed_handshakes: u32, "SAEndLifeHsFailCnt", "Failed handshakes at the interval's end.";
        [U] local_role: LocalRole, "SALocalRole", "Role of the local socket.";
        [U] reserved4: Reserved<7>, "", "Reserved.";
    }
}

section! {
    /// The significant attributes of a TLS session.
    SummaryTls "TLS" {
        [P] source: Source, "TLS_Source", "Who told it.";
        [P] crypto_flags: CryptoFlags, "TLS_CryptoFlags", "Encrypt-then-MAC and the like.";
        [P] version: TlsVersion, "TLS_Prot_Ver", "Protocol version.";
        [P] cipher: Text<6>, "TLS_Neg_Cipher", "Cipher suite in hexadecimal digits.";
        [P] encryption: Encryption, "TLS_CS_Enc_Alg", "Encryption.";
        [P] authentication: Authentication, "TLS_CS_Msg_Auth", "Message authentication.";
        [P] key_exchange: KeyExchange, "TLS_CS_Kex_Alg", "Key exchange.";
        [P] server_certificate: CertificateKind, "TLS_SCert", "Server's certificate.";
        [P] client_certificate: CertificateKind, "TLS_CCert", "Client's certificate.";
    }
    extended {
        [U] server_validity: CertificateValidity, "TLS_SCert", "Which server certificate.";
        [U] client_validity: CertificateValidity, "TLS_CCert", "Which client certificate.";
    }
}

section! {
    /// The significant attributes of an SSH session.
    SummarySsh "SSH" {
        [P] source: Source, "SSH_Source", "Who told it.";
        [P] version: u8, "SSH_Prot_Ver", "Protocol version: 1, 2, or 0 for unknown.";
        [P] crypto_flags: CryptoFlags, "SSH_CryptoFlags", "Encrypt-then-MAC and the like.";
        [P] reserved1: Reserved<1>, "", "Reserved.";
        [P] user_authentication: UserAuthentication, "SSH_Auth_Method", "How the user was authenticated.";
        [P] user_authentication2: UserAuthentication, "SSH_Auth_Method2", "The second method, if two were required.";
        [P] in_encryption: Encryption, "SSH_In_Enc_Alg", "Inbound encryption.";
        [P] in_authentication: Authentication, "SSH_In_Msg_Auth", "Inbound message authentication.";
        [P] kex_method: KexMethod, "SSH_Kex_Method", "Key exchange method.";
        [P] out_encryption: Encryption, "SSH_Out_Enc_Alg", "Outbound encryption.";
        [P] out_authentication: Authentication, "SSH_Out_Msg_Auth", "Outbound message authentication.";
        [P] server_key_type: KeyType, "SSH_SKey_Type", "Kind of the server's raw host key.";
        [P] server_key_len: u16, "SSH_SKey_Len", "Its length in bits.";
        [P] client_key_type: KeyType, "SSH_CKey_Type", "Kind of the client's raw key.";
        [P] client_key_len: u16, "SSH_CKey_Len", "Its length in bits.";
        [P] server_certificate: CertificateKind, "SSH_SCert", "Server's certificate.";
        [P] client_certificate: CertificateKind, "SSH_CCert", "Client's certificate.";
    }
    extended {
        [U] reserved2: Reserved<2>, "", "Reserved.";
        [U] server_validity: CertificateValidity, "SSH_SCert", "Which server certificate.";
        [U] client_validity: CertificateValidity, "SSH_CCert", "Which client certificate.";
    }
}

section! {
    /// The significant attributes of an IPsec tunnel. The two reserved bytes are unconfirmed; a
    /// section without them is read as well.
    SummaryIpsec "IPsec" {
        [P] ike_major: u8, "IPSec_IKEMajVer", "Major version of IKE.";
        [P] ike_minor: u8, "IPSec_IKEMinVer", "Minor version of IKE.";
        [U] reserved1: Reserved<2>, "", "Reserved.";
        [P] local_endpoint: Address, "IPSec_IKETunLclEndpt", "Local security endpoint.";
        [P] remote_endpoint: Address, "IPSec_IKETunRmtEndpt", "Remote security endpoint.";
        [P] local_authentication: IkeAuthentication, "IPSec_IKETunLclAuthMeth", "How the local end is authenticated.";
        [P] remote_authentication: IkeAuthentication, "IPSec_IKETunRmtAuthMeth", "How the remote end is authenticated.";
        [P] ike_authentication: Authentication, "IPSec_IKETunAuthAlg", "Message authentication of the IKE tunnel.";
        [P] ike_encryption: Encryption, "IPSec_IKETunEncAlg", "Encryption of the IKE tunnel.";
        [P] ike_group: Group, "IPSec_IKETunDHGroup", "Diffie-Hellman group of the IKE tunnel.";
        [P] ike_prf: Prf, "IPSec_IKETunPseudoRandFunc", "Pseudo-random function of the IKE tunnel.";
        [P] local_certificate: CertificateKind, "IPSec_LclCert", "Local certificate.";
        [P] remote_certificate: CertificateKind, "IPSec_RmtCert", "Remote certificate.";
        [P] pfs_group: Group, "IPSec_PFSGroup", "Group of perfect forward secrecy.";
        [P] encapsulation: Encapsulation, "IPSec_EncapMode", "Encapsulation mode.";
        [P] protocol: SecurityProtocol, "IPSec_AuthProto", "ESP or AH.";
        [P] authentication: Authentication, "IPSec_AuthAlg", "Message authentication.";
        [P] encryption: Encryption, "IPSec_EncAlg", "Encryption.";
    }
    extended {
        [U] local_validity: CertificateValidity, "IPSec_LclCert", "Which local certificate.";
        [U] remote_validity: CertificateValidity, "IPSec_RmtCert", "Which remote certificate.";
    }
}

/// Where the two reserved bytes of [`SummaryIpsec`] stand among its fields.
const PAD: usize = 2;

/// Length of [`SummaryIpsec`] without them.
pub(crate) const UNPADDED_LEN: usize = SummaryIpsec::BASE - 2;

/// The layout of [`SummaryIpsec`] without them.
pub(crate) const UNPADDED: &[FieldInfo] = &without::<17>(SummaryIpsec::FIELDS, PAD);

impl SummaryIpsec {
    /// Reads a section that may lack the two reserved bytes, as its length tells.
    #[must_use]
    pub fn take_padded_or_not(bytes: &[u8]) -> Self {
        if bytes.len() != UNPADDED_LEN {
            return Self::take(bytes);
        }
        let mut padded = [0; Self::BASE];
        if let (Some((head, tail)), Some((from_head, from_tail))) = (
            padded.split_first_chunk_mut::<2>(),
            bytes.split_first_chunk::<2>(),
        ) {
            *head = *from_head;
            for (to, from) in tail.iter_mut().skip(2).zip(from_tail) {
                *to = *from;
            }
        }
        Self::take(&padded)
    }
}
