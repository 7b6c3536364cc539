//! What a rustls connection negotiated, ready to be told.
//!
//! One call when the handshake is over gives everything rustls knows:
//!
//! ```no_run
//! # fn told(connection: &rustls::ServerConnection, guard: &mut dyn FnMut(hostward_hook::protection::Fact<'_>)) {
//! # use hostward_hook::Side;
//! use hostward_hook::protection::Fact;
//! use hostward_zert::advice;
//!
//! if let Some(session) = advice::rustls::session(connection, Side::Initiator) {
//!     guard(Fact::TlsSession(session));
//! }
//! # }
//! ```

use hostward_hook::Side;
use hostward_hook::protection::{Certificate, Handshake, Protocol, TlsSession};
use rustls::{CommonState, HandshakeKind, ServerConnection, Side as RustlsSide};

/// A connection of rustls, of either side.
///
/// The side matters because only a server knows the name that was asked for.
pub trait Connection {
    /// What both sides have.
    fn state(&self) -> &CommonState;

    /// Which side it is.
    fn side(&self) -> RustlsSide;

    /// The server name that the client asked for, where the library tells it.
    fn server_name(&self) -> Option<&str> {
        None
    }
}

impl Connection for ServerConnection {
    fn state(&self) -> &CommonState {
        self
    }

    fn side(&self) -> RustlsSide {
        RustlsSide::Server
    }

    fn server_name(&self) -> Option<&str> {
        Self::server_name(self)
    }
}

impl Connection for rustls::ClientConnection {
    fn state(&self) -> &CommonState {
        self
    }

    fn side(&self) -> RustlsSide {
        RustlsSide::Client
    }
}

impl Connection for rustls::Connection {
    fn state(&self) -> &CommonState {
        self
    }

    fn side(&self) -> RustlsSide {
        match self {
            Self::Client(_) => RustlsSide::Client,
            Self::Server(_) => RustlsSide::Server,
        }
    }

    fn server_name(&self) -> Option<&str> {
        match self {
            Self::Client(_) => None,
            Self::Server(server) => server.server_name(),
        }
    }
}

/// The session of a connection, `None` as long as its handshake goes on. `client` is the end of
/// the TCP connection that is the client of TLS, mostly [`Side::Initiator`].
///
/// Of certificates rustls knows only the peer's; this side's own are known to whoever configured
/// it, who may add them.
pub fn session<C: Connection + ?Sized>(connection: &C, client: Side) -> Option<TlsSession<'_>> {
    let state = connection.state();
    if state.is_handshaking() {
        return None;
    }
    let mut session = TlsSession::default();
    session.provider = "rustls";
    session.protocol = Some(Protocol::Tls);
    session.version = u16::from(state.protocol_version()?);
    session.cipher_suite = state
        .negotiated_cipher_suite()
        .map(|s| u16::from(s.suite()));
    session.group = state
        .negotiated_key_exchange_group()
        .map(|g| u16::from(g.name()));
    session.client = Some(client);
    session.handshake = match state.handshake_kind() {
        Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest) => Handshake::Full,
        Some(HandshakeKind::Resumed) => Handshake::Resumed,
        _ => Handshake::Unknown,
    };
    session.alpn = state.alpn_protocol();
    session.server_name = connection.server_name();
    let peer = state.peer_certificates().and_then(<[_]>::first).map(|der| {
        let mut certificate = Certificate::default();
        certificate.der = Some(der.as_ref());
        certificate
    });
    match connection.side() {
        RustlsSide::Server => {
            session.client_authenticated = Some(peer.is_some());
            session.client_certificate = peer;
        }
        RustlsSide::Client => session.server_certificate = peer,
    }
    Some(session)
}
