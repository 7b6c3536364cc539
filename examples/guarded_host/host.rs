//! A host: a smoltcp interface with its sockets, and the TLS that runs over them.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::Device;
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Address};

/// A host on some device.
pub struct Host<D> {
    /// The device.
    pub device: D,
    interface: Interface,
    sockets: SocketSet<'static>,
}

impl<D: Device> Host<D> {
    /// A host with one address in a /24.
    pub fn new(mut device: D, address: Ipv4Address, seed: u64) -> Self {
        let [_, _, _, last] = address.octets();
        let mac = EthernetAddress([2, 0, 0, 0, 0, last]);
        let mut config = Config::new(mac.into());
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut device, Instant::ZERO);
        interface.update_ip_addrs(|a| {
            // The list has room for more than one.
            let _ = a.push(IpCidr::new(address.into(), 24));
        });
        Self {
            device,
            interface,
            sockets: SocketSet::new(Vec::new()),
        }
    }

    fn socket(&mut self) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; 16 * 1024]);
        self.sockets.add(tcp::Socket::new(buffer(), buffer()))
    }

    /// Waits for a connection.
    pub fn listen(&mut self, port: u16) -> Result<SocketHandle, Failure> {
        let handle = self.socket();
        self.tcp(handle)
            .listen(port)
            .map_err(|e| Failure(format!("listen: {e}")))?;
        Ok(handle)
    }

    /// Opens a connection.
    pub fn connect(&mut self, to: (Ipv4Address, u16), from: u16) -> Result<SocketHandle, Failure> {
        let handle = self.socket();
        let context = self.interface.context();
        let socket: &mut tcp::Socket<'_> = self.sockets.get_mut(handle);
        socket
            .connect(context, to, from)
            .map_err(|e| Failure(format!("connect: {e}")))?;
        Ok(handle)
    }

    /// A socket.
    pub fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// Does what is to be done now.
    pub fn poll(&mut self, now: Instant) {
        self.interface
            .poll(now, &mut self.device, &mut self.sockets);
    }
}

/// Something did not go as it should.
#[derive(Debug)]
pub struct Failure(pub String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Moves bytes between a TLS connection and its socket, both ways.
pub fn shuttle<T>(
    tls: &mut rustls::ConnectionCommon<T>,
    socket: &mut tcp::Socket<'_>,
) -> Result<(), Failure> {
    let fail = |e: &dyn std::fmt::Display| Failure(format!("TLS: {e}"));
    while socket.can_recv() {
        let taken = socket
            .recv(|data| {
                let mut rest: &[u8] = data;
                let read = tls.read_tls(&mut rest);
                (data.len() - rest.len(), read)
            })
            .map_err(|e| fail(&e))?;
        taken.map_err(|e| fail(&e))?;
        tls.process_new_packets().map_err(|e| fail(&e))?;
    }
    while tls.wants_write() && socket.can_send() {
        socket
            .send(|mut room| {
                let before = room.len();
                let wrote = tls.write_tls(&mut room);
                let taken = before - room.len();
                (taken, wrote)
            })
            .map_err(|e| fail(&e))?
            .map_err(|e| fail(&e))?;
    }
    Ok(())
}

/// Reads what has been decrypted so far.
pub fn plaintext<T>(tls: &mut rustls::ConnectionCommon<T>, into: &mut Vec<u8>) {
    let mut chunk = [0; 512];
    // "Would block" is how rustls says that nothing more is there yet.
    while let Ok(n) = tls.reader().read(&mut chunk) {
        if n == 0 {
            return;
        }
        into.extend(chunk.iter().take(n));
    }
}

/// Queues bytes for encryption.
pub fn say<T>(tls: &mut rustls::ConnectionCommon<T>, text: &[u8]) -> Result<(), Failure> {
    tls.writer()
        .write_all(text)
        .map_err(|e| Failure(format!("TLS: {e}")))
}

/// Both ends of a TLS 1.3 connection with a fresh self-signed certificate for `name`.
pub fn tls_pair(
    name: &'static str,
) -> Result<(ClientConnection, ServerConnection), Box<dyn std::error::Error>> {
    let made = rcgen::generate_simple_self_signed(vec![name.into()])?;
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let only_1_3 = &[&rustls::version::TLS13];
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(only_1_3)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(only_1_3)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((
        ClientConnection::new(Arc::new(client), ServerName::try_from(name)?)?,
        ServerConnection::new(Arc::new(server))?,
    ))
}
