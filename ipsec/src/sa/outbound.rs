//! Sealing.

use core::fmt;

use hostward_crypto::Provider;
use hostward_hook::ident::SaId;
use hostward_hook::layout::proto;
use hostward_hook::protection::Encapsulation;
use hostward_hook::{FrameBuf, Instant};

use super::lifetime::Life;
use super::{Counters, Df, Parameters, Refused, SaError, Sealed, Tfc, touch};
use crate::ah;
use crate::engine::{Engine, header_len};
use crate::ip::{self, Inner, Outer, Place};
use crate::suite::{Protocol, Suite};

/// The least path MTU that is believed: IPv4's (RFC 1122 §3.3.3 asks every host to take 576 octets) and
/// IPv6's (RFC 8200 §5).
const FLOOR: [u16; 2] = [576, 1280];

/// An association that seals.
pub struct Outbound {
    engine: Engine,
    /// The last number that was used.
    sequence: u64,
    /// The last number there is.
    last: u64,
    life: Life,
    outer: Outer,
    /// Octets of ESP's header and IV, or of AH.
    header: usize,
    icv: usize,
    block: usize,
    mode: Encapsulation,
    protocol: Protocol,
    df: Df,
    tfc: Tfc,
    path_mtu: u16,
    last_sent: Instant,
    counters: Counters,
    id: SaId,
    spi: u32,
    suite: Suite,
    parameters: Kept,
}

/// What is needed again to change the peer's address.
#[derive(Clone)]
struct Kept {
    local: core::net::IpAddr,
    udp: Option<super::UdpEncapsulation>,
    outer: super::OuterHeader,
    path_mtu: u16,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("id", &self.id)
            .field("spi", &self.spi)
            .field("suite", &self.suite)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// How long the parts of an ESP packet are.
#[derive(Clone, Copy)]
struct Shape {
    /// From the beginning of the plaintext to its padding.
    plain: usize,
    /// Padding against traffic analysis behind that.
    tfc: usize,
    pad: usize,
}

impl Shape {
    /// Octets behind the plaintext, without the ICV.
    const fn tail(self) -> usize {
        self.tfc + self.pad + 2
    }

    const fn encrypted(self) -> usize {
        self.plain + self.tail()
    }
}

/// Up to 14 octets of padding and the trailer. RFC 4303 §2.4: padding is 1, 2, 3 and so on.
#[inline]
const fn trailer(pad: usize, next_header: u8) -> [u8; 16] {
    const PADDING: u128 = 0x0e_0d_0c_0b_0a_09_08_07_06_05_04_03_02_01;
    let shift = 8 * pad as u32;
    let padding = PADDING & !(u128::MAX << shift);
    (padding | ((next_header as u128) << 8 | pad as u128) << shift).to_le_bytes()
}

/// All that stands behind the plaintext, in front of the ICV.
fn write_trailer(tail: &mut [u8], shape: Shape, next_header: u8) -> Result<(), Refused> {
    let tail = tail.get_mut(..shape.tail()).ok_or(Refused::NoRoom)?;
    let (padding, trailer) = tail.split_last_chunk_mut::<2>().ok_or(Refused::NoRoom)?;
    let (tfc, padding) = padding
        .split_at_mut_checked(shape.tfc)
        .ok_or(Refused::NoRoom)?;
    tfc.fill(0);
    for (octet, number) in padding.iter_mut().zip(1..) {
        *octet = number;
    }
    *trailer = [shape.pad as u8, next_header];
    Ok(())
}

impl Outbound {
    /// An association that begins with the sequence number 1; its lifetimes begin at `now`.
    ///
    /// # Errors
    /// [`SaError`]: what the parameters lack, or the provider does not do.
    pub fn new(provider: &Provider, p: Parameters, now: Instant) -> Result<Self, SaError> {
        p.check()?;
        // RFC 4303 §3.3.3: the number must never be used again.
        let last = if p.esn { u64::MAX } else { u32::MAX.into() };
        let mut this = Self {
            engine: Engine::new(provider, &p)?,
            sequence: 0,
            last,
            life: Life::new(p.lifetimes, last, now),
            outer: outer(&p),
            header: header_len(&p),
            icv: p.suite.icv_len(),
            block: p.padding_unit(),
            mode: p.mode,
            protocol: p.suite.protocol(),
            df: p.outer.df,
            tfc: p.tfc,
            path_mtu: p.path_mtu,
            last_sent: now,
            counters: Counters::default(),
            id: p.id,
            spi: p.spi,
            suite: p.suite,
            parameters: Kept {
                local: p.local,
                udp: p.udp,
                outer: p.outer,
                path_mtu: p.path_mtu,
            },
        };
        this.path_mtu = this.path_mtu.max(this.floor());
        Ok(this)
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

    /// The last sequence number that was used, 0 before the first.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
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

    /// When something was sent last, or the association began: keepalives are due a while after
    /// (RFC 3948 §4).
    #[must_use]
    pub const fn last_sent(&self) -> Instant {
        self.last_sent
    }

    /// When a lifetime in time ends next.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        self.life.deadline(now)
    }

    /// Whether the soft lifetime is over; says so once, like [`Sealed::soft`].
    pub fn soft(&mut self, now: Instant) -> bool {
        self.life.soft(now)
    }

    /// Whether nothing is sealed any more: the hard lifetime is over, or all sequence numbers are used.
    #[must_use]
    pub fn over(&self, now: Instant) -> bool {
        self.life.over(now) || self.sequence >= self.last
    }

    /// The most octets that sealing adds, padding against traffic analysis not counted.
    #[must_use]
    pub fn max_overhead(&self) -> usize {
        let ip = match self.mode {
            Encapsulation::Tunnel => self.outer.len,
            Encapsulation::Transport => self.udp_len(),
        };
        match self.protocol {
            Protocol::Esp => ip + self.header + self.block + 1 + self.icv,
            Protocol::Ah => ip + self.header,
        }
    }

    fn udp_len(&self) -> usize {
        if self.outer.ports().is_some() { 8 } else { 0 }
    }

    /// The largest packet that fits the path when it is sealed, for the MTU of a tunnel interface and for
    /// ICMP messages.
    #[must_use]
    pub fn inner_mtu(&self) -> u16 {
        let room = usize::from(self.path_mtu);
        let mtu = match (self.protocol, self.mode) {
            (Protocol::Esp, Encapsulation::Tunnel) => {
                room.saturating_sub(self.outer.len + self.header + self.icv) / self.block
                    * self.block
                    - 2
            }
            (Protocol::Esp, Encapsulation::Transport) => {
                // What lies in front of ESP is not padded: of the payload a whole number of blocks fits.
                let ip = if self.outer.v6 { 40 } else { 20 };
                let fixed = ip + self.udp_len() + self.header + self.icv;
                room.saturating_sub(fixed) / self.block * self.block - 2 + ip
            }
            (Protocol::Ah, Encapsulation::Tunnel) => room - self.outer.len - self.header,
            (Protocol::Ah, Encapsulation::Transport) => room - self.header,
        };
        mtu as u16
    }

    fn floor(&self) -> u16 {
        let [v4, v6] = FLOOR;
        if self.outer.v6 { v6 } else { v4 }
    }

    /// The path MTU in use.
    #[must_use]
    pub const fn path_mtu(&self) -> u16 {
        self.path_mtu
    }

    /// Takes the path MTU that an ICMP message about one of this association's packets tells, whose
    /// quotation carries `sequence`. Says whether it is used.
    ///
    /// RFC 4301 §8.2.1: whoever sent the message is not known. So only a packet that was sent lately counts, the
    /// MTU only shrinks, and not below what every path takes.
    pub fn learn_path_mtu(&mut self, sequence: u32, mtu: u16) -> bool {
        /// How long ago a quoted packet may have been sent, in packets.
        const LATELY: u32 = 1 << 16;
        let age = (self.sequence as u32).wrapping_sub(sequence);
        let sent = u64::from(age) < self.sequence && age < LATELY;
        let mtu = mtu.max(self.floor());
        if !sent || mtu >= self.path_mtu {
            return false;
        }
        self.path_mtu = mtu;
        true
    }

    /// Forgets what was learnt of the path, which hosts do after some minutes (RFC 8201 §4).
    pub fn reset_path_mtu(&mut self) {
        self.path_mtu = self.parameters.path_mtu.max(self.floor());
    }

    /// The peer has moved: its address and port as an authenticated packet showed them
    /// ([`Opened::moved`](super::Opened::moved)). Says whether it was taken: in UDP only, and within one family.
    pub fn move_peer(&mut self, address: core::net::IpAddr, port: u16) -> bool {
        let Some(udp) = &mut self.parameters.udp else {
            return false;
        };
        if address.is_ipv4() != self.parameters.local.is_ipv4() || port == 0 {
            return false;
        }
        udp.remote = port;
        self.outer = Outer::new(
            (self.parameters.local, address),
            self.protocol.number(),
            self.parameters.udp,
            (
                self.parameters.outer.dscp,
                self.parameters.outer.ecn,
                self.parameters.outer.hop_limit,
            ),
        );
        true
    }

    /// Seals the packet in the frame, which then holds the packet for the wire.
    ///
    /// # Errors
    /// [`Refused`]; the packet is to be dropped, and may have been destroyed where its variant
    /// does not say otherwise.
    #[inline]
    pub fn seal<F: FrameBuf + ?Sized>(
        &mut self,
        now: Instant,
        frame: &mut F,
    ) -> Result<Sealed, Refused> {
        let sealed = match (self.protocol, self.mode) {
            (Protocol::Esp, Encapsulation::Tunnel) => self.seal_tunnel(now, frame),
            (Protocol::Esp, Encapsulation::Transport) => self.seal_transport(now, frame),
            (Protocol::Ah, _) => self.seal_ah(now, frame),
        };
        if let Err(refused) = sealed {
            self.counters.refused(refused);
        }
        sealed
    }

    /// Seals each frame, as [`seal`](Self::seal) one by one would. Results go to the same places; what has no place for its
    /// result is not sealed.
    pub fn seal_batch<F: FrameBuf + ?Sized>(
        &mut self,
        now: Instant,
        frames: &mut [&mut F],
        results: &mut [Result<Sealed, Refused>],
    ) {
        touch(frames);
        for (frame, result) in frames.iter_mut().zip(results) {
            *result = self.seal(now, &mut **frame);
        }
    }

    /// Makes the frame a dummy packet with `len` octets inside (RFC 4303 §2.6), which the peer throws
    /// away. ESP only.
    ///
    /// # Errors
    /// As [`seal`](Self::seal); [`Refused::NotOurs`] with AH.
    pub fn dummy<F: FrameBuf + ?Sized>(
        &mut self,
        now: Instant,
        frame: &mut F,
        len: usize,
    ) -> Result<Sealed, Refused> {
        if self.protocol == Protocol::Ah {
            return Err(Refused::NotOurs);
        }
        let had = frame.bytes().len();
        if had > len {
            frame.trim(0, had - len);
        } else {
            frame.append(len - had)?;
        }
        frame.bytes_mut().fill(0);
        let shape = Shape {
            plain: len,
            tfc: 0,
            pad: self.pad(len),
        };
        let inner = Inner {
            v6: self.outer.v6,
            len,
            traffic_class: 0,
            whole: false,
        };
        self.enclose(now, frame, inner, shape, proto::NO_NEXT, false)
    }

    /// Seals an ESP payload without any IP header: the frame holds the plaintext, then the packet from
    /// ESP's header to the ICV. For hosts that build their headers themselves, and for measuring.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    #[inline]
    pub fn seal_payload<F: FrameBuf + ?Sized>(
        &mut self,
        now: Instant,
        frame: &mut F,
        next_header: u8,
    ) -> Result<Sealed, Refused> {
        let plain = frame.bytes().len();
        let shape = Shape {
            plain,
            tfc: 0,
            pad: self.pad(plain),
        };
        let sequence = self.next(now, shape.encrypted())?;
        // GMAC borrows some octets in front.
        let front = self.engine.front();
        room(frame, self.header + front, shape.tail() + self.icv)?;
        let sealed = self.encrypt(frame.bytes_mut(), front, sequence, shape, next_header);
        if front > 0 {
            frame.trim(front, 0);
        }
        sealed?;
        Ok(self.done(now, sequence, shape.encrypted(), false))
    }

    /// Octets of padding behind so many.
    #[inline]
    fn pad(&self, len: usize) -> usize {
        // A block is a power of two.
        (len + 2).wrapping_neg() & (self.block - 1)
    }

    /// The next sequence number, when there is one and the lifetime allows so many octets more.
    #[inline]
    fn next(&self, now: Instant, bytes: usize) -> Result<u64, Refused> {
        // RFC 4303 §3.3.3: the number does not wrap, whatever the peer does with it.
        if self.sequence >= self.last {
            return Err(Refused::SequenceExhausted);
        }
        if !self.life.allows(now, bytes) {
            return Err(Refused::Expired);
        }
        Ok(self.sequence + 1)
    }

    #[inline]
    fn done(&mut self, now: Instant, sequence: u64, bytes: usize, fragment: bool) -> Sealed {
        self.last_sent = now;
        Sealed {
            sequence,
            soft: self.life.count(now, bytes),
            fragment,
        }
    }

    /// Writes trailer and header around the plaintext and encrypts. `at` is where ESP begins, behind whose
    /// header and IV the plaintext lies, and room for trailer and ICV behind it.
    #[inline]
    fn encrypt(
        &mut self,
        all: &mut [u8],
        at: usize,
        sequence: u64,
        shape: Shape,
        next_header: u8,
    ) -> Result<(), Refused> {
        let from = at + self.header + shape.plain;
        let tail = all.get_mut(from..).ok_or(Refused::NoRoom)?;
        match tail.first_chunk_mut::<16>() {
            // At once where it goes into a word; what is behind becomes the ICV.
            Some(word) if shape.tfc == 0 && shape.pad <= 14 => {
                *word = trailer(shape.pad, next_header);
            }
            _ => write_trailer(tail, shape, next_header)?,
        }
        // From here on the number is used, whatever happens.
        self.sequence = sequence;
        self.engine.seal(all, at, sequence)?;
        Ok(())
    }

    #[inline]
    fn seal_tunnel<F: FrameBuf + ?Sized>(
        &mut self,
        now: Instant,
        frame: &mut F,
    ) -> Result<Sealed, Refused> {
        let bytes = frame.bytes();
        let given = bytes.len();
        let inner = Inner::of(bytes).ok_or(Refused::Malformed)?;
        let mut shape = Shape {
            plain: inner.len,
            tfc: 0,
            pad: 0,
        };
        if self.tfc != Tfc::Off {
            shape.tfc = self.extra(inner.len);
        }
        shape.pad = self.pad(shape.plain + shape.tfc);
        let total = self.outer.len + self.header + shape.encrypted() + self.icv;
        let big = total > usize::from(self.path_mtu);
        if big {
            self.fits(inner)?;
        }
        if given > inner.len {
            frame.trim(0, given - inner.len);
        }
        let next_header = if inner.v6 { proto::IPV6 } else { proto::IPV4 };
        self.enclose(now, frame, inner, shape, next_header, big)
    }

    /// Whether a packet whose protected form is larger than the path MTU may go and be fragmented.
    ///
    /// RFC 4301 §8.2, RFC 6040: an inner packet that must not be fragmented is refused with the MTU that fits; IPv6 packets
    /// of up to 1280 octets go all the same, since no path may take less.
    #[cold]
    fn fits(&self, inner: Inner) -> Result<(), Refused> {
        let mtu = self.inner_mtu();
        let least = if inner.v6 { 1280 } else { 68 };
        let outer_df = !self.outer.v6 && self.df == Df::Set;
        if (inner.whole || outer_df) && inner.len > usize::from(mtu.max(least)) {
            return Err(Refused::TooBig {
                mtu: mtu.max(least),
            });
        }
        Ok(())
    }

    /// Padding against traffic analysis behind so many octets.
    fn extra(&self, len: usize) -> usize {
        let most = usize::from(self.inner_mtu());
        let wanted = match self.tfc {
            Tfc::Off => len,
            Tfc::Multiple(of) => len.next_multiple_of(usize::from(of.max(1))),
            Tfc::PathMtu => most,
        };
        wanted.min(most).saturating_sub(len)
    }

    /// Puts outer header, ESP header, trailer and ICV around the frame's content.
    #[inline]
    fn enclose<F: FrameBuf + ?Sized>(
        &mut self,
        now: Instant,
        frame: &mut F,
        inner: Inner,
        shape: Shape,
        next_header: u8,
        fragment: bool,
    ) -> Result<Sealed, Refused> {
        let sequence = self.next(now, shape.encrypted())?;
        let at = self.outer.len;
        room(frame, at + self.header, shape.tail() + self.icv)?;
        let all = frame.bytes_mut();
        self.encrypt(all, at, sequence, shape, next_header)?;
        let df = match self.df {
            Df::Copy => inner.whole,
            Df::Set => true,
            Df::Clear => false,
        };
        self.outer
            .write(all, inner.traffic_class, df && !fragment, sequence as u16)?;
        Ok(self.done(now, sequence, shape.encrypted(), fragment))
    }

    fn seal_transport<F: FrameBuf + ?Sized>(
        &mut self,
        now: Instant,
        frame: &mut F,
    ) -> Result<Sealed, Refused> {
        let bytes = frame.bytes();
        let given = bytes.len();
        let inner = Inner::of(bytes).ok_or(Refused::Malformed)?;
        let place = Place::insertion(bytes)?;
        let plain = place.end - place.at;
        let shape = Shape {
            plain,
            tfc: 0,
            pad: self.pad(plain),
        };
        let udp = self.udp_len();
        let front = udp + self.header;
        let total = place.at + front + shape.encrypted() + self.icv;
        let big = self.too_big(total, inner)?;
        let sequence = self.next(now, shape.encrypted())?;
        frame.trim(0, given - place.end);
        room(frame, front, shape.tail() + self.icv)?;
        let all = frame.bytes_mut();
        all.copy_within(front..front + place.at, 0);
        self.encrypt(all, place.at + udp, sequence, shape, place.named)?;
        let named = if udp > 0 { proto::UDP } else { proto::ESP };
        ip::fix(all, place.v6, place.named_at, named)?;
        if let Some(ports) = self.outer.ports() {
            ip::udp_header(all, place.at, ports, place.v6)?;
        }
        Ok(self.done(now, sequence, shape.encrypted(), big))
    }

    /// Whether a packet is to be fragmented that keeps its own header, or cannot go.
    fn too_big(&self, total: usize, inner: Inner) -> Result<bool, Refused> {
        let big = total > usize::from(self.path_mtu);
        if big && inner.whole {
            return Err(Refused::TooBig {
                mtu: (usize::from(self.path_mtu).saturating_sub(total - inner.len)) as u16,
            });
        }
        Ok(big)
    }

    fn seal_ah<F: FrameBuf + ?Sized>(
        &mut self,
        now: Instant,
        frame: &mut F,
    ) -> Result<Sealed, Refused> {
        let bytes = frame.bytes();
        let given = bytes.len();
        let inner = Inner::of(bytes).ok_or(Refused::Malformed)?;
        let (place, front) = match self.mode {
            Encapsulation::Tunnel => (None, self.outer.len + self.header),
            Encapsulation::Transport => (Some(Place::insertion(bytes)?), self.header),
        };
        let total = inner.len + front;
        let big = match place {
            None if total > usize::from(self.path_mtu) => {
                self.fits(inner)?;
                true
            }
            None => false,
            Some(_) => self.too_big(total, inner)?,
        };
        let sequence = self.next(now, total)?;
        // The high half of an extended number is authenticated behind the packet, and not sent.
        let extra = if self.last > u32::MAX.into() { 4 } else { 0 };
        frame.trim(0, given - inner.len);
        room(frame, front, extra)?;
        let all = frame.bytes_mut();
        let (packet, _) = all.split_at_mut_checked(total).ok_or(Refused::NoRoom)?;
        self.sequence = sequence;
        let (at, next_header) = match place {
            None => {
                let df = match self.df {
                    Df::Copy => inner.whole,
                    Df::Set => true,
                    Df::Clear => false,
                };
                self.outer
                    .write(packet, inner.traffic_class, df && !big, sequence as u16)?;
                let next = if inner.v6 { proto::IPV6 } else { proto::IPV4 };
                (self.outer.len, next)
            }
            Some(place) => {
                packet.copy_within(front..front + place.at, 0);
                ip::fix(packet, place.v6, place.named_at, proto::AH)?;
                (place.at, place.named)
            }
        };
        ah::seal(
            &self.engine,
            all,
            ah::Header {
                at,
                len: self.header,
                icv: self.icv,
                spi: self.spi,
                sequence,
                next_header,
                end: total,
            },
        )?;
        frame.trim(0, extra);
        Ok(self.done(now, sequence, total, big))
    }
}

/// The outer header of an association.
pub(super) fn outer(p: &Parameters) -> Outer {
    Outer::new(
        (p.local, p.remote),
        p.suite.protocol().number(),
        p.udp,
        (p.outer.dscp, p.outer.ecn, p.outer.hop_limit),
    )
}

/// Takes room at both ends, or leaves the frame as it was.
#[inline]
fn room<F: FrameBuf + ?Sized>(frame: &mut F, front: usize, back: usize) -> Result<(), Refused> {
    frame.prepend(front)?;
    if frame.append(back).is_err() {
        frame.trim(front, 0);
        return Err(Refused::NoRoom);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostward_crypto::{Secret, backend};
    use hostward_hook::frame::VecFrame;

    // RFC 4303 §3.3.3: the number never wraps, with 32 bits and with 64; a new association is asked for before.
    #[test]
    fn numbers_end() {
        for esn in [false, true] {
            let ends = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
            let mut p = Parameters::new(
                SaId(1),
                256,
                Suite::AES_128_GCM,
                Encapsulation::Tunnel,
                Secret::zeros(20),
                ends,
            );
            p.esn = esn;
            let provider = Provider::of([backend::RUST_CRYPTO]);
            let mut out = Outbound::new(&provider, p, Instant::ZERO).unwrap();
            let last = if esn { u64::MAX } else { u32::MAX.into() };
            out.sequence = last - 2;
            out.life.packets = last - last / 16 - 1;
            let mut frame = VecFrame::new(64, 500);
            for number in [last - 1, last] {
                frame.set(b"abc");
                let sealed = out.seal_payload(Instant::ZERO, &mut frame, 4).unwrap();
                assert_eq!((sealed.sequence, sealed.soft), (number, number < last));
                assert_eq!(frame.bytes()[8..16], number.to_be_bytes());
            }
            assert!(out.over(Instant::ZERO));
            frame.set(b"abc");
            let refused = out.seal_payload(Instant::ZERO, &mut frame, 4);
            assert_eq!(refused, Err(Refused::SequenceExhausted));
            assert_eq!(frame.bytes(), b"abc");
        }
    }

    // RFC 4303 §2.4: padding is 1, 2, 3 and so on, in front of its length and the next header.
    #[test]
    fn trailers_in_a_word_are_those_written_one_by_one() {
        for pad in 0..=14 {
            let shape = Shape {
                plain: 0,
                tfc: 0,
                pad,
            };
            let mut octets = [0xff; 16];
            assert_eq!(write_trailer(&mut octets, shape, 41), Ok(()));
            let (word, len) = (trailer(pad, 41), pad + 2);
            assert_eq!(word.get(..len), octets.get(..len));
        }
    }
}
