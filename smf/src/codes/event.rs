//! Why a record was written, and what the common sections say.

use super::{codes, flags};

codes! {
    /// Reason of the identification section.
    [C] Reason: u8 {
        0x80 INTERVAL "interval, last of the set",
        0xc0 INTERVAL_MORE "interval, more follow",
        0x20 END_OF_STATISTICS "end of statistics, last of the set",
        0x60 END_OF_STATISTICS_MORE "end of statistics, more follow",
        0x10 SHUTDOWN "shutdown, last of the set",
        0x50 SHUTDOWN_MORE "shutdown, more follow",
        0x08 EVENT "event",
        0x48 EVENT_MORE "event, more follow",
    }
}

codes! {
    /// Event of a connection detail record.
    [C] DetailEvent: u8 {
        1 INITIATION "connection initiation",
        2 CHANGE "protection state change",
        3 TERMINATION "connection termination",
        4 SHORT_TERMINATION "short connection termination",
        5 ENABLED "zERT enabled",
        6 DISABLED "zERT disabled",
        7 ENFORCEMENT "enforcement",
    }
}

codes! {
    /// Event of a summary record.
    [R] SummaryEvent: u8 {
        1 INTERVAL "summary interval",
        2 ENABLED "aggregation enabled",
        3 DISABLED "aggregation disabled",
    }
}

codes! {
    /// Protocol above IP; UDP stands for Enterprise Extender.
    [C] IpProtocol: u8 {
        6 TCP "TCP",
        17 UDP "UDP",
    }
}

flags! {
    /// Security protocols in effect; no bit is no recognized cryptographic protection.
    [R] Protocols: u8 {
        0x80 TLS "TLS/SSL",
        0x40 SSH "SSH",
        0x20 IPSEC "IPsec",
    }
}

flags! {
    /// Flags of a connection detail record.
    [R] DetailFlags: u8 {
        0x80 IPV6 "IPv6",
        0x40 BYPASSED "AT-TLS bypassed within the host",
    }
}

flags! {
    /// Flags of a summary record.
    [R] SummaryFlags: u8 {
        0x80 IPV6 "IPv6",
        0x40 LOCAL_SERVER "local socket is the server",
        0x20 LOCAL_CLIENT "local socket is the client",
    }
}

flags! {
    /// Security flags of a connection detail record.
    [U] SecurityFlags: u8 {
        0x80 IP_FILTERING "IP filtering active",
        0x40 TLS_FAILED "TLS handshake failed",
        0x20 SSH_FAILED "SSH handshake failed",
    }
}

flags! {
    /// How a protocol was used.
    [R] CryptoFlags: u8 {
        0x80 ENCRYPT_THEN_MAC "encrypt-then-MAC",
        0x40 RAW_PUBLIC_KEY "raw public key",
        0x20 PRE_SHARED_KEY "pre-shared key",
    }
}

codes! {
    /// Who told the attributes.
    [R] Source: u8 {
        1 OBSERVATION "stream observation",
        2 PROVIDER "cryptographic protocol provider",
    }
}

codes! {
    /// What an IP filter rule does.
    [R] FilterAction: u8 {
        0 NONE "none",
        1 PERMIT "permit",
        2 DENY "deny",
        3 IPSEC "permit with IPsec",
    }
}

codes! {
    /// Role of the local socket; appended by this project.
    [U] LocalRole: u8 {
        0 UNKNOWN "unknown",
        1 CLIENT "client",
        2 SERVER "server",
    }
}

flags! {
    /// What an enforcement action did; a proposal of this project.
    [U] ActionFlags: u8 {
        0x80 SYSLOG "syslogd message",
        0x40 CONSOLE "console message",
        0x20 AUDIT "audit record",
        0x10 RESET "connection reset",
    }
}
