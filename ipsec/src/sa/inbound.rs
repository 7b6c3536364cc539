//! Opening.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hostward_crypto::Provider;
use hostward_hook::checksum::Sum;
use hostward_hook::ident::SaId;
use hostward_hook::layout::proto;
use hostward_hook::protection::Encapsulation;
use hostward_hook::{FrameBuf, Instant};

use super::lifetime::Life;
use super::{Counters, Opened, Parameters, Refused, SaError, UdpEncapsulation, Window, touch};
use crate::ah;
use crate::engine::{Engine, header_len};
use crate::ip::{self, Inner, Place};
use crate::suite::{Protocol, Suite};

/// An association that opens.
pub struct Inbound {
    engine: Engine,
    window: Window,
    life: Life,
    header: usize,
    icv: usize,
    block: usize,
    mode: Encapsulation,
    protocol: Protocol,
    spi: u32,
    esn: bool,
    udp: Option<UdpEncapsulation>,
    remote: IpAddr,
    /// What a NAT did to the pseudo header of transport checksums, when it is known.
    original: Option<(IpAddr, IpAddr)>,
    counters: Counters,
    last_opened: Option<Instant>,
    id: SaId,
    suite: Suite,
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("id", &self.id)
            .field("spi", &self.spi)
            .field("suite", &self.suite)
            .field("top", &self.window.top())
            .finish_non_exhaustive()
    }
}

/// What ESP held: its plaintext lies in `from..to`.
#[derive(Clone, Copy)]
struct Content {
    sequence: u64,
    from: usize,
    to: usize,
    next_header: u8,
    bytes: usize,
}

impl Inbound {
    /// An association that has received nothing; its lifetimes begin at `now`.
    ///
    /// # Errors
    /// [`SaError`]: what the parameters lack, or the provider does not do.
    pub fn new(provider: &Provider, p: Parameters, now: Instant) -> Result<Self, SaError> {
        p.check()?;
        Ok(Self {
            engine: Engine::new(provider, &p)?,
            window: Window::new(p.window, p.esn),
            life: Life::new(p.lifetimes, u64::MAX, now),
            header: header_len(&p),
            icv: p.suite.icv_len(),
            block: p.suite.block_len(),
            mode: p.mode,
            protocol: p.suite.protocol(),
            spi: p.spi,
            esn: p.esn,
            udp: p.udp,
            remote: p.remote,
            original: p.original,
            counters: Counters::default(),
            last_opened: None,
            id: p.id,
            suite: p.suite,
        })
    }

    /// The owner's number of it.
    #[must_use]
    pub const fn id(&self) -> SaId {
        self.id
    }

    /// Security parameters index.
    #[must_use]
    pub const fn spi(&self) -> u32 {
        self.spi
    }

    /// What protects.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// Tunnel or transport mode.
    #[must_use]
    pub const fn mode(&self) -> Encapsulation {
        self.mode
    }

    /// The replay window.
    #[must_use]
    pub const fn window(&self) -> &Window {
        &self.window
    }

    /// What it has done.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            packets: self.life.packets,
            bytes: self.life.bytes,
            ..self.counters
        }
    }

    /// When a packet was opened last: the peer lives (RFC 7296 §2.4).
    #[must_use]
    pub const fn last_opened(&self) -> Option<Instant> {
        self.last_opened
    }

    /// When a lifetime in time ends next.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        self.life.deadline(now)
    }

    /// Whether the soft lifetime is over; says so once, like [`Opened::soft`].
    pub fn soft(&mut self, now: Instant) -> bool {
        self.life.soft(now)
    }

    /// Whether nothing is opened any more: the hard lifetime is over.
    #[must_use]
    pub fn over(&self, now: Instant) -> bool {
        self.life.over(now)
    }

    /// The peer has moved, as [`Outbound::move_peer`](super::Outbound::move_peer): from now on this is where
    /// it is.
    pub fn move_peer(&mut self, address: IpAddr, port: u16) -> bool {
        match &mut self.udp {
            Some(udp) if address.is_ipv4() == self.remote.is_ipv4() && port != 0 => {
                udp.remote = port;
                self.remote = address;
                true
            }
            _ => false,
        }
    }

    /// Opens the protected packet in the frame, which then holds the inner one: in tunnel mode what was inside, in transport
    /// mode the packet with its own header put right.
    ///
    /// The order is RFC 4303 §3.4's: lengths, replay, ICV, decryption, window, padding, what is inside. Policy
    /// (RFC 4301 §5.2) is the caller's.
    ///
    /// # Errors
    /// [`Refused`]; the packet is to be dropped, and may have been destroyed where its variant
    /// does not say otherwise.
    #[inline]
    pub fn open<F: FrameBuf + ?Sized>(
        &mut self,
        now: Instant,
        frame: &mut F,
    ) -> Result<Opened, Refused> {
        let opened = match self.protocol {
            Protocol::Esp => self.open_esp(now, frame),
            Protocol::Ah => self.open_ah(now, frame),
        };
        if let Err(refused) = opened {
            self.counters.refused(refused);
        }
        opened
    }

    /// Opens each frame, as [`open`](Self::open) one by one would. Results go to the same places; what has no place for its
    /// result is not opened.
    pub fn open_batch<F: FrameBuf + ?Sized>(
        &mut self,
        now: Instant,
        frames: &mut [&mut F],
        results: &mut [Result<Opened, Refused>],
    ) {
        touch(frames);
        for (frame, result) in frames.iter_mut().zip(results) {
            *result = self.open(now, &mut **frame);
        }
    }

    /// Opens an ESP packet without any IP header: the frame holds it from ESP's header to the ICV, then the
    /// plaintext. What is inside is not looked at, and [`Opened::dummy`] not acted on.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    #[inline]
    pub fn open_payload<F: FrameBuf + ?Sized>(
        &mut self,
        now: Instant,
        frame: &mut F,
    ) -> Result<Opened, Refused> {
        // GMAC borrows some octets in front.
        let front = self.engine.front();
        if front > 0 {
            frame.prepend(front)?;
        }
        let all = frame.bytes_mut();
        let len = all.len();
        let content = match self.esp(now, all, front, len) {
            Ok(content) => content,
            Err(refused) => {
                self.counters.refused(refused);
                return Err(refused);
            }
        };
        frame.trim(content.from, len - content.to);
        Ok(self.done(now, content, None))
    }

    /// Reads something of each line of memory that opening uses, as far as it can be read.
    #[inline]
    pub(crate) fn touch(&self) {
        self.engine.touch();
        core::hint::black_box((
            self.window.look(self.window.top() as u32).is_ok(),
            (self.life.packets, self.life.allows(Instant::ZERO, 0)),
            (self.header, self.spi, self.esn, self.udp.is_some()),
            (self.counters.refused, self.last_opened),
        ));
    }

    #[inline]
    fn done(&mut self, now: Instant, content: Content, moved: Option<(IpAddr, u16)>) -> Opened {
        self.last_opened = Some(now);
        Opened {
            sequence: content.sequence,
            next_header: content.next_header,
            dummy: content.next_header == proto::NO_NEXT,
            soft: self.life.count(now, content.bytes),
            congestion: false,
            unchecked: false,
            moved,
        }
    }

    /// Opens the ESP packet in `at..end`.
    #[inline]
    fn esp(
        &mut self,
        now: Instant,
        all: &mut [u8],
        at: usize,
        end: usize,
    ) -> Result<Content, Refused> {
        let all = all.get_mut(..end).ok_or(Refused::Malformed)?;
        // Lengths before anything else: header, IV, trailer and ICV must be there, the rest in whole blocks.
        let encrypted = (end - at)
            .checked_sub(self.header + self.icv)
            .ok_or(Refused::Malformed)?;
        if encrypted < 2 || encrypted & (self.block - 1) != 0 {
            return Err(Refused::Malformed);
        }
        let header = all
            .get(at..)
            .and_then(|esp| esp.first_chunk::<8>())
            .ok_or(Refused::Malformed)?;
        let header = u64::from_be_bytes(*header);
        if (header >> 32) as u32 != self.spi {
            return Err(Refused::NotOurs);
        }
        if !self.life.allows(now, encrypted) {
            return Err(Refused::Expired);
        }
        let sequence = self.window.look(header as u32)?;
        self.engine
            .open(all, at, sequence)
            .map_err(|_| Refused::BadIcv)?;
        // RFC 4303 §3.4.3, §2.2.1: only now is the packet known to be genuine, and its number.
        self.window.mark(sequence);
        let from = at + self.header;
        let inside = all.get(from..from + encrypted).ok_or(Refused::Malformed)?;
        let (inside, [pad, next_header]) =
            inside.split_last_chunk::<2>().ok_or(Refused::Malformed)?;
        let plain = inside
            .len()
            .checked_sub(usize::from(*pad))
            .ok_or(Refused::BadPadding)?;
        // RFC 4303 §2.4: padding is to be looked at.
        let padding = inside.get(plain..).ok_or(Refused::BadPadding)?;
        if padding
            .iter()
            .zip(1..)
            .any(|(octet, number)| *octet != number)
        {
            return Err(Refused::BadPadding);
        }
        Ok(Content {
            sequence,
            from,
            to: from + plain,
            next_header: *next_header,
            bytes: encrypted,
        })
    }

    #[inline]
    fn open_esp<F: FrameBuf + ?Sized>(
        &mut self,
        now: Instant,
        frame: &mut F,
    ) -> Result<Opened, Refused> {
        let all = frame.bytes_mut();
        let len = all.len();
        // RFC 7296 §2.23: either form is taken at any time, whichever is sent.
        let place = Place::find_esp(all)?;
        let in_udp = place.named == proto::UDP;
        let (at, seen) = if in_udp {
            (place.at + 8, self.seen(all, place)?)
        } else {
            (place.at, None)
        };
        let outer_ecn = ecn_of(all);
        let content = self.esp(now, all, at, place.end)?;
        if content.next_header == proto::NO_NEXT {
            // RFC 4303 §2.6: a dummy is thrown away.
            frame.trim(len, 0);
            return Ok(self.done(now, content, seen));
        }
        if self.mode == Encapsulation::Tunnel {
            let inner = all
                .get_mut(content.from..content.to)
                .ok_or(Refused::BadInner)?;
            let (kept, congestion) = unwrap(inner, content.next_header, outer_ecn)?;
            frame.trim(content.from, len - content.from - kept);
            let mut opened = self.done(now, content, seen);
            opened.congestion = congestion;
            return Ok(opened);
        }
        // The packet's own headers move to what they belong to.
        let front = content.from - place.at;
        all.copy_within(..place.at, front);
        let packet = all.get_mut(front..content.to).ok_or(Refused::Malformed)?;
        ip::fix(packet, place.v6, place.named_at, content.next_header)?;
        let unchecked =
            self.udp.is_some() && !self.repair(packet, place.at, place.v6, content.next_header);
        frame.trim(front, len - content.to);
        let mut opened = self.done(now, content, seen);
        opened.unchecked = unchecked;
        Ok(opened)
    }

    /// Looks at the UDP header in front of ESP. Gives where the packet came from, when that is not where the peer is known
    /// to be.
    fn seen(&self, packet: &[u8], place: Place) -> Result<Option<(IpAddr, u16)>, Refused> {
        let header = packet
            .get(place.at..place.end)
            .and_then(|rest| rest.first_chunk::<8>())
            .ok_or(Refused::Malformed)?;
        let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
        if place.at + len != place.end {
            return Err(Refused::Malformed);
        }
        let own = self.udp.map_or(crate::udp::PORT, |udp| udp.local);
        if u16::from_be_bytes([header[2], header[3]]) != own {
            return Err(Refused::NotOurs);
        }
        let port = u16::from_be_bytes([header[0], header[1]]);
        let address = source(packet, place.v6).ok_or(Refused::Malformed)?;
        // Without UDP of our own, nothing is sent to that port.
        let moved = |udp: UdpEncapsulation| port != udp.remote || address != self.remote;
        Ok(self.udp.is_some_and(moved).then_some((address, port)))
    }

    /// Puts the checksum right of TCP and UDP whose pseudo header a NAT changed. Says whether it is right now.
    ///
    /// RFC 3948 §3.1.2: by the addresses the peer used, or else the checksum is not to be looked at.
    fn repair(&self, packet: &mut [u8], at: usize, v6: bool, next_header: u8) -> bool {
        let field = match next_header {
            proto::TCP => 16,
            proto::UDP => 6,
            // Over IPv4, ICMP covers no addresses.
            proto::ICMP if !v6 => return true,
            _ => return false,
        };
        let Some((source, destination)) = self.original else {
            return false;
        };
        let range = if v6 { 8..40 } else { 12..20 };
        let Some(actual) = packet.get(range) else {
            return false;
        };
        let actual = Sum::new().with(actual).fold();
        let original = [source, destination]
            .into_iter()
            .fold(Sum::new(), |sum, address| match address {
                IpAddr::V4(address) => sum.with(&address.octets()),
                IpAddr::V6(address) => sum.with(&address.octets()),
            });
        let Some(to) = packet
            .get_mut(at + field..)
            .and_then(|rest| rest.first_chunk_mut::<2>())
        else {
            return false;
        };
        let old = u16::from_be_bytes(*to);
        // RFC 768: a UDP checksum of zero is none.
        if next_header == proto::UDP && old == 0 {
            return true;
        }
        let new = hostward_hook::checksum::update(old, original.fold(), actual);
        let new = if new == 0 && next_header == proto::UDP {
            0xffff
        } else {
            new
        };
        *to = new.to_be_bytes();
        true
    }

    fn open_ah<F: FrameBuf + ?Sized>(
        &mut self,
        now: Instant,
        frame: &mut F,
    ) -> Result<Opened, Refused> {
        let bytes = frame.bytes();
        let place = Place::find(bytes, proto::AH)?;
        let given = bytes.len();
        let own = bytes.get(place.at..place.end).ok_or(Refused::Malformed)?;
        let &[next_header, words, _, _, s0, s1, s2, s3, n0, n1, n2, n3] =
            own.first_chunk::<12>().ok_or(Refused::Malformed)?;
        // RFC 4302 §2.2, §2.6: the header is as long as this suite makes it.
        if (usize::from(words) + 2) * 4 != self.header || own.len() < self.header {
            return Err(Refused::Malformed);
        }
        if u32::from_be_bytes([s0, s1, s2, s3]) != self.spi {
            return Err(Refused::NotOurs);
        }
        if !self.life.allows(now, place.end) {
            return Err(Refused::Expired);
        }
        let sequence = self.window.look(u32::from_be_bytes([n0, n1, n2, n3]))?;
        let outer_ecn = ecn_of(bytes);
        frame.trim(0, given - place.end);
        if self.esn {
            frame.append(4)?;
        }
        let all = frame.bytes_mut();
        ah::open(
            &self.engine,
            all,
            ah::Header {
                at: place.at,
                len: self.header,
                icv: self.icv,
                spi: self.spi,
                sequence,
                next_header,
                end: place.end,
            },
        )?;
        self.window.mark(sequence);
        let from = place.at + self.header;
        let content = Content {
            sequence,
            from,
            to: place.end,
            next_header,
            bytes: place.end,
        };
        let len = all.len();
        if self.mode == Encapsulation::Tunnel {
            let inner = all.get_mut(from..place.end).ok_or(Refused::BadInner)?;
            let (kept, congestion) = unwrap(inner, next_header, outer_ecn)?;
            frame.trim(from, len - from - kept);
            let mut opened = self.done(now, content, None);
            opened.congestion = congestion;
            return Ok(opened);
        }
        all.copy_within(..place.at, self.header);
        let packet = all
            .get_mut(self.header..place.end)
            .ok_or(Refused::Malformed)?;
        ip::fix(packet, place.v6, place.named_at, next_header)?;
        frame.trim(self.header, len - place.end);
        let mut opened = self.done(now, content, None);
        // Next header 59 is a dummy in ESP only.
        opened.dummy = false;
        Ok(opened)
    }
}

/// The source address of a packet.
fn source(packet: &[u8], v6: bool) -> Option<IpAddr> {
    if v6 {
        let octets = packet.get(8..)?.first_chunk::<16>()?;
        Some(IpAddr::V6(Ipv6Addr::from_octets(*octets)))
    } else {
        let octets = packet.get(12..)?.first_chunk::<4>()?;
        Some(IpAddr::V4(Ipv4Addr::from_octets(*octets)))
    }
}

/// The ECN field of a packet.
#[inline]
fn ecn_of(packet: &[u8]) -> u8 {
    match packet {
        [first, second, ..] if first >> 4 == 6 => second >> 4 & 3,
        [_, second, ..] => second & 3,
        _ => 0,
    }
}

/// Looks at an inner packet and brings congestion to it. Gives its length, and whether its ECN field changed to say congestion.
#[inline]
fn unwrap(inner: &mut [u8], next_header: u8, outer_ecn: u8) -> Result<(usize, bool), Refused> {
    let head = Inner::of(inner).ok_or(Refused::BadInner)?;
    let named = if head.v6 { proto::IPV6 } else { proto::IPV4 };
    if named != next_header {
        return Err(Refused::BadInner);
    }
    let own = head.traffic_class & 3;
    let ecn = ip::ecn(own, outer_ecn)?;
    if ecn != own {
        ip::set_ecn(inner, ecn);
    }
    Ok((head.len, ecn == 3 && own != 3))
}
