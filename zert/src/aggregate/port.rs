//! Which end of a connection is the server, and under which port it is counted.

use alloc::vec::Vec;

use crate::record::Record;

/// The server's end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a side and a range of ports")]
pub struct ServerEnd {
    /// The local end is the server.
    pub is_local: bool,
    /// First port.
    pub first: u16,
    /// Last port, the same as the first where there is one.
    pub last: u16,
}

impl ServerEnd {
    /// One port.
    #[must_use]
    pub const fn port(is_local: bool, port: u16) -> Self {
        Self {
            is_local,
            first: port,
            last: port,
        }
    }
}

/// Decides under which server port a connection is counted.
pub trait ServerPortClassifier {
    /// The server's end of this connection.
    fn server_end(&self, record: &Record) -> ServerEnd;
}

/// The usual rule: whoever accepted the connection is the server, with its port. A connection from
/// port 20 is FTP data: its opener is the server. Connections to a port of a configured range of
/// data ports count under the whole range. Of a connection whose beginning was not seen, the end
/// that served the handshake is the server, else the one with the lower port. Enterprise Extender
/// (UDP ports 12000 to 12004) counts under all its ports, with the local end as server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsualPorts {
    /// Ranges of ports that servers give out for data connections (z/OS: `PASSIVEDATAPORTS`).
    pub data_ports: Vec<(u16, u16)>,
}

/// The port that active FTP servers open data connections from.
const FTP_DATA: u16 = 20;

/// The ports of Enterprise Extender.
const ENTERPRISE_EXTENDER: (u16, u16) = (12_000, 12_004);

impl ServerPortClassifier for UsualPorts {
    fn server_end(&self, record: &Record) -> ServerEnd {
        let (local, remote) = (record.local().port(), record.remote().port());
        let (first, last) = ENTERPRISE_EXTENDER;
        let extender = first..=last;
        if extender.contains(&local) && extender.contains(&remote) {
            return ServerEnd {
                is_local: true,
                first,
                last,
            };
        }
        let opener = if record.local_opened { local } else { remote };
        let is_local = if record.midstream {
            if record.role == crate::record::Role::Unknown {
                local < remote
            } else {
                !record.local_is_client
            }
        } else {
            // The opener of active FTP data is the server.
            record.local_opened == (opener == FTP_DATA)
        };
        let port = if is_local { local } else { remote };
        for (first, last) in &self.data_ports {
            if (*first..=*last).contains(&port) {
                return ServerEnd {
                    is_local,
                    first: *first,
                    last: *last,
                };
            }
        }
        ServerEnd::port(is_local, port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(local: u16, remote: u16, opened: bool) -> Record {
        let end = |n: u8, port| core::net::SocketAddr::from(([192, 0, 2, n], port));
        let (client, server) = if opened {
            (end(1, local), end(2, remote))
        } else {
            (end(2, remote), end(1, local))
        };
        Record {
            client,
            server,
            local_opened: opened,
            local_is_client: opened,
            ..Record::default()
        }
    }

    #[test]
    fn who_accepts_is_the_server() {
        let usual = UsualPorts::default();
        let end = |l, r, opened| usual.server_end(&record(l, r, opened));
        assert_eq!(end(443, 50_000, false), ServerEnd::port(true, 443));
        assert_eq!(end(50_000, 443, true), ServerEnd::port(false, 443));
        // Even when the server's port is the higher one.
        assert_eq!(end(50_000, 1_000, false), ServerEnd::port(true, 50_000));
    }

    #[test]
    fn active_ftp_data_belongs_to_the_server() {
        let usual = UsualPorts::default();
        let end = |l, r, opened| usual.server_end(&record(l, r, opened));
        assert_eq!(end(20, 50_000, true), ServerEnd::port(true, 20));
        assert_eq!(end(50_000, 20, false), ServerEnd::port(false, 20));
    }

    #[test]
    fn data_ports_are_counted_together() {
        let usual = UsualPorts {
            data_ports: alloc::vec![(6_000, 6_100)],
        };
        let range = |is_local| ServerEnd {
            is_local,
            first: 6_000,
            last: 6_100,
        };
        let end = |l, r, opened| usual.server_end(&record(l, r, opened));
        assert_eq!(end(6_050, 50_000, false), range(true));
        assert_eq!(end(50_000, 6_100, true), range(false));
        assert_eq!(end(6_101, 50_000, false), ServerEnd::port(true, 6_101));
    }

    #[test]
    fn without_a_beginning_the_handshake_decides_then_the_port() {
        let usual = UsualPorts::default();
        let mut r = record(9_000, 443, true);
        r.midstream = true;
        assert_eq!(usual.server_end(&r), ServerEnd::port(false, 443));
        r = record(443, 9_000, true);
        r.midstream = true;
        assert_eq!(usual.server_end(&r), ServerEnd::port(true, 443));
        r.role = crate::record::Role::Client;
        assert_eq!(usual.server_end(&r), ServerEnd::port(false, 9_000));
    }

    #[test]
    fn enterprise_extender_is_one_session() {
        let r = record(12_003, 12_001, true);
        let all = ServerEnd {
            is_local: true,
            first: 12_000,
            last: 12_004,
        };
        assert_eq!(UsualPorts::default().server_end(&r), all);
    }
}
