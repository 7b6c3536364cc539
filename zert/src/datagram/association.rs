//! IKE associations, and directions of ESP and AH: a table of its own, since no flow entry stands for
//! them. An association may move between ports, and a direction has none.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use hostward_hook::flow::Counters;
use hostward_hook::ident::{JobId, UserId};
use hostward_hook::layout::{Fragment, proto};
use hostward_hook::meta::Direction;
use hostward_hook::packet::Packet;
use hostward_hook::time::{Instant, Now};

use super::ike::{self, Ike};
use crate::record::{IkeChosen, PqClass, Protocol, Record, Role, SpiSeen, Traffic};

/// Associations that one call of a timer ends.
pub(super) const BATCH: usize = 64;
/// Associations that are looked at for one that ends.
const LOOKED_AT: usize = 256;

const IKE_PORT: u16 = 500;
/// IKE and ESP behind address translation (RFC 7296 §2.23, RFC 3948).
const NAT_PORT: u16 = 4500;

/// What a packet was to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Of an association that is known, or of none.
    Known,
    /// The first of an association.
    New,
    /// There is no room for its association; the first since there was.
    Refused { first: bool },
}

/// What tells associations apart: for IKE both addresses, the lower first, and the initiator's
/// SPI; for a direction source, destination and SPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: Kind,
    a: IpAddr,
    b: IpAddr,
    spi: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Ike,
    Esp,
    EspInUdp,
    Ah,
}

#[derive(Debug)]
struct Association {
    /// The initiator, or the sender.
    client: SocketAddr,
    server: SocketAddr,
    opened: Now,
    last: Now,
    first_packet: u64,
    /// From client and from server.
    sent: Counters,
    received: Counters,
    /// The client is the local host, and it sent the first packet.
    local_is_client: bool,
    local_opened: bool,
    user: UserId,
    job: JobId,
    ike: Option<Box<Ike>>,
}

/// The table.
#[derive(Debug)]
pub(super) struct Associations {
    max: usize,
    idle: Duration,
    map: BTreeMap<Key, Box<Association>>,
    /// Each once, with the time before which it does not end, about in order of that time: one may
    /// end late, by less than what it must have been idle.
    queue: VecDeque<(Instant, Key)>,
    /// The last new one was refused.
    full: bool,
}

/// What a packet says of its association.
struct Sighting<'a> {
    kind: Kind,
    spi: u64,
    source: SocketAddr,
    destination: SocketAddr,
    ike: Option<ike::Header<'a>>,
    nat_t: bool,
}

/// The payload of a UDP packet as its receiver gets it: as long as the UDP header says, if there is
/// as much (RFC 768), without what else the IP packet holds. Empty for other packets.
#[must_use]
pub fn udp_payload<'a>(packet: &Packet<'a>) -> &'a [u8] {
    let header = packet.upper().first_chunk::<8>();
    let (proto::UDP, Some([_, _, _, _, a, b, _, _])) = (packet.layout().protocol(), header) else {
        return &[];
    };
    let payload = packet.payload();
    match usize::from(u16::from_be_bytes([*a, *b])).checked_sub(8) {
        Some(len) => payload.get(..len).unwrap_or(payload),
        // 0 stands for what is too long for the field (RFC 2675 §4).
        None => payload,
    }
}

fn sighting<'a>(packet: &Packet<'a>) -> Option<Sighting<'a>> {
    let layout = packet.layout();
    if layout.fragment() != Fragment::Whole {
        return None;
    }
    let (sport, dport) = layout.ports().unwrap_or((0, 0));
    let of = |kind, spi| {
        let ah_or_esp = matches!(kind, Kind::Esp | Kind::Ah);
        let (sport, dport) = if ah_or_esp { (0, 0) } else { (sport, dport) };
        Some(Sighting {
            kind,
            spi,
            source: SocketAddr::new(packet.source()?, sport),
            destination: SocketAddr::new(packet.destination()?, dport),
            ike: None,
            nat_t: false,
        })
    };
    if layout.ah_offset().is_some() {
        return of(Kind::Ah, packet.spi()?.into());
    }
    match layout.protocol() {
        proto::ESP => of(Kind::Esp, packet.spi()?.into()),
        proto::UDP => {
            let nat = sport == NAT_PORT || dport == NAT_PORT;
            if !nat && sport != IKE_PORT && dport != IKE_PORT {
                return None;
            }
            let payload = udp_payload(packet);
            let message = if nat {
                match payload.strip_prefix(&[0; 4]) {
                    Some(message) => message,
                    None => {
                        // RFC 3948 §2.2, §2.3: an SPI; a single byte only keeps a mapping.
                        let spi = u32::from_be_bytes(*payload.first_chunk::<4>()?);
                        // RFC 4303 §2.1: below 256 none is in use.
                        return (spi > 255)
                            .then(|| of(Kind::EspInUdp, spi.into()))
                            .flatten();
                    }
                }
            } else {
                payload
            };
            let header = ike::header(message)?;
            let mut seen = of(Kind::Ike, header.spi_i)?;
            seen.ike = Some(header);
            seen.nat_t = nat;
            Some(seen)
        }
        _ => None,
    }
}

impl Associations {
    pub(super) fn new(max: usize, idle: Duration) -> Self {
        Self {
            max,
            idle,
            map: BTreeMap::new(),
            queue: VecDeque::new(),
            full: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    /// Counts a packet.
    pub(super) fn packet(&mut self, now: Now, packet: &Packet<'_>) -> Seen {
        let Some(seen) = sighting(packet) else {
            return Seen::Known;
        };
        let (a, b) = (seen.source.ip(), seen.destination.ip());
        let (a, b) = match seen.kind {
            Kind::Ike if b < a => (b, a),
            Kind::Ike | Kind::Esp | Kind::EspInUdp | Kind::Ah => (a, b),
        };
        let key = Key {
            kind: seen.kind,
            a,
            b,
            spi: seen.spi,
        };
        let mut answer = Seen::Known;
        if !self.map.contains_key(&key) {
            if self.map.len() >= self.max {
                let first = !core::mem::replace(&mut self.full, true);
                return Seen::Refused { first };
            }
            self.full = false;
            answer = Seen::New;
            let local_opened = packet.meta.direction() == Direction::Outbound;
            let by_client = seen
                .ike
                .as_ref()
                .is_none_or(|h| h.by_initiator() != Some(false));
            let (client, server) = if by_client {
                (seen.source, seen.destination)
            } else {
                (seen.destination, seen.source)
            };
            let new = Association {
                client,
                server,
                opened: now,
                last: now,
                first_packet: packet.number,
                sent: Counters::default(),
                received: Counters::default(),
                local_is_client: local_opened == by_client,
                local_opened,
                user: packet.meta.user,
                job: packet.meta.job,
                ike: seen.ike.is_some().then(Box::default),
            };
            self.map.insert(key, Box::new(new));
            self.queue
                .push_back((now.mono.saturating_add(self.idle), key));
        }
        let Some(found) = self.map.get_mut(&key) else {
            return answer;
        };
        found.last = now;
        // Both ends may have the same address; then ports tell.
        let by_client = if found.client.ip() == found.server.ip() {
            seen.source == found.client
        } else {
            seen.source.ip() == found.client.ip()
        };
        let counters = if by_client {
            &mut found.sent
        } else {
            &mut found.received
        };
        counters.packets = counters.packets.saturating_add(1);
        let bytes = packet.layout().end() as u64;
        counters.bytes = counters.bytes.saturating_add(bytes);
        if let (Some(ike), Some(header)) = (&mut found.ike, &seen.ike) {
            let by_initiator = header.by_initiator().unwrap_or(by_client);
            ike.message(header, by_initiator, seen.nat_t);
        }
        answer
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.queue.front().map(|(at, _)| *at)
    }

    /// Ends an association that has been idle until `now`, or any one without a time, into
    /// `record`. Says whether there was one.
    pub(super) fn end(&mut self, now: Option<Instant>, record: &mut Record) -> bool {
        for _ in 0..LOOKED_AT {
            let Some((at, key)) = self.queue.front().copied() else {
                return false;
            };
            if now.is_some_and(|now| at > now) {
                return false;
            }
            self.queue.pop_front();
            let Some(found) = self.map.get(&key) else {
                continue;
            };
            let until = found.last.mono.saturating_add(self.idle);
            if now.is_some_and(|now| until > now) {
                self.queue.push_back((until, key));
                continue;
            }
            if let Some(found) = self.map.remove(&key) {
                write(&key, *found, now.is_some(), record);
                return true;
            }
        }
        false
    }
}

fn write(key: &Key, found: Association, over: bool, record: &mut Record) {
    record.clear();
    record.client = found.client;
    record.server = found.server;
    record.opened = found.opened;
    record.last = found.last;
    record.first_packet = found.first_packet;
    record.packets = found.sent.packets + found.received.packets;
    record.bytes = found.sent.bytes.saturating_add(found.received.bytes);
    record.local_is_client = found.local_is_client;
    record.local_opened = found.local_opened;
    let (sent, received) = if found.local_is_client {
        (found.sent, found.received)
    } else {
        (found.received, found.sent)
    };
    record.traffic = Traffic {
        in_bytes: received.bytes,
        out_bytes: sent.bytes,
        in_packets: received.packets,
        out_packets: sent.packets,
    };
    record.user = found.user;
    record.job = found.job;
    record.open_at_end = !over;
    let spi = SpiSeen {
        spi: key.spi as u32,
        udp_encapsulated: key.kind == Kind::EspInUdp,
    };
    match (key.kind, found.ike) {
        (Kind::Ike, ike) => {
            let ike = ike.unwrap_or_default();
            record.protocol = Protocol::Ike;
            record.established = ike.established();
            record.inferred = record.established == Some(true);
            record.failed = record.established == Some(false) && (over || ike.refused());
            record.midstream = !ike.begun;
            record.cut = ike.cut;
            record.malformed = ike.malformed;
            let chosen = ike.seen.chosen.as_ref();
            record.pq = chosen.map_or(PqClass::None, IkeChosen::pq);
            record.role = if found.local_is_client {
                Role::Client
            } else {
                Role::Server
            };
            record.ike = Some(Box::new(ike.seen));
        }
        (Kind::Esp | Kind::EspInUdp, _) => {
            record.protocol = Protocol::Esp;
            record.spi = Some(spi);
        }
        (Kind::Ah, _) => {
            record.protocol = Protocol::Ah;
            record.spi = Some(spi);
        }
    }
}
