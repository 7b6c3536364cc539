//! Drives an engine with the packets of capture files.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use hostward_hook::layout::Fragment;
use hostward_hook::meta::Routing;
use hostward_hook::time::UnixTime;
use hostward_hook::{Direction, Meta, Packet};

use crate::capture::{
    CaptureReader, Frame, LayerKind, Layers, LinkType, Miss, decapsulate, network,
};
use crate::engine::{Engine, Input};
use crate::local::{Chooser, Local};
use crate::report::{InputFacts, Output, Remark};

/// Link types that are told apart among those nobody knows.
const MAX_UNKNOWN_LINKS: usize = 256;

/// What the user is told while it runs.
pub trait Watcher {
    /// Something about the input that standard error should say.
    fn remark(&mut self, remark: &Remark);

    /// Bytes read of the current file.
    fn progress(&mut self, read: u64);
}

/// Counters of what was fed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fed {
    /// IP packets that were handed to the engine.
    pub packets: u64,
    /// Their bytes, as far as they were captured.
    pub bytes: u64,
    /// Files that could not be read, or not to their end.
    pub failed_files: u64,
    /// What else is to be told.
    pub input: InputFacts,
}

/// Reads captures and hands their packets to an engine.
pub struct Feed<'e> {
    engine: &'e mut dyn Engine,
    out: &'e mut dyn Output,
    watcher: &'e mut dyn Watcher,
    depth: usize,
    side: Side,
    fed: Fed,
    unknown: BTreeMap<LinkType, u64>,
    tunnels: BTreeMap<LayerKind, u64>,
}

enum Side {
    Known(Local),
    /// Not known yet: the packets so far are held back.
    Sampling(Chooser, Vec<Held>),
}

struct Held {
    facts: Facts,
    packet: Vec<u8>,
}

/// What is known of a packet beside its bytes.
#[derive(Clone, Copy)]
struct Facts {
    number: u64,
    time: UnixTime,
    wire_len: u32,
    truncated: bool,
    link: LinkType,
    layers: Layers,
}

impl<'e> Feed<'e> {
    /// Prepares to feed `engine`, opening tunnels to `depth`. Without `local` the local side is
    /// chosen as [`local`](crate::local) says.
    pub fn new(
        engine: &'e mut dyn Engine,
        out: &'e mut dyn Output,
        watcher: &'e mut dyn Watcher,
        depth: usize,
        local: Option<Local>,
    ) -> Self {
        Self {
            engine,
            out,
            watcher,
            depth,
            side: local.map_or_else(
                || Side::Sampling(Chooser::default(), Vec::new()),
                Side::Known,
            ),
            fed: Fed::default(),
            unknown: BTreeMap::new(),
            tunnels: BTreeMap::new(),
        }
    }

    /// Feeds one file; `-` is standard input. That it cannot be read is remarked upon, not
    /// returned.
    ///
    /// # Errors
    ///
    /// Those of writing.
    pub fn file(&mut self, path: &Path) -> io::Result<()> {
        match CaptureReader::open(path) {
            Ok(mut reader) => self.capture(&mut reader),
            Err(error) => {
                self.fed.failed_files += 1;
                self.watcher.remark(&Remark::Error(error));
                Ok(())
            }
        }
    }

    /// Feeds an opened capture.
    ///
    /// # Errors
    ///
    /// Those of writing.
    pub fn capture(&mut self, reader: &mut CaptureReader) -> io::Result<()> {
        let mut unknown: BTreeMap<LinkType, u64> = BTreeMap::new();
        let mut count = 0_u64;
        loop {
            if count.is_multiple_of(4_096) {
                self.watcher.progress(reader.progress().0);
            }
            count += 1;
            match reader.next_frame() {
                Ok(Some(frame)) => {
                    if let Some(link) = self.frame(&frame)?
                        && (unknown.len() < MAX_UNKNOWN_LINKS || unknown.contains_key(&link))
                    {
                        *unknown.entry(link).or_default() += 1;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    self.fed.failed_files += 1;
                    self.watcher.remark(&Remark::Error(error));
                    break;
                }
            }
        }
        if let Some(cut) = reader.cut_off() {
            self.watcher.remark(&Remark::CutOff(cut.clone()));
        }
        for (link, frames) in unknown {
            *self.unknown.entry(link).or_default() += frames;
            self.watcher.remark(&Remark::UnknownLink {
                file: reader.file().to_owned(),
                link,
                frames,
            });
        }
        Ok(())
    }

    /// Ends the feeding: decides about packets still held back and returns the counters.
    ///
    /// # Errors
    ///
    /// Those of writing.
    pub fn finish(mut self) -> io::Result<Fed> {
        self.choose()?;
        self.fed.input.unknown_links = self.unknown.into_iter().collect();
        self.fed.input.tunnels = self.tunnels.into_iter().collect();
        Ok(self.fed)
    }

    /// Feeds one frame; gives its link type if nobody knows it.
    fn frame(&mut self, frame: &Frame<'_>) -> io::Result<Option<LinkType>> {
        let input = &mut self.fed.input;
        input.frames += 1;
        let net = match network(frame) {
            Ok(net) => net,
            Err(Miss::UnknownLink(link)) => return Ok(Some(link)),
            Err(Miss::NotIp(_)) => {
                input.not_ip += 1;
                return Ok(None);
            }
            Err(Miss::CutOff | Miss::Encrypted | Miss::Partial | Miss::TooDeep) => {
                input.unreadable += 1;
                return Ok(None);
            }
        };
        let inner = decapsulate(net.packet, self.depth);
        for layer in inner.layers.as_slice() {
            if layer.kind.is_tunnel() {
                *self.tunnels.entry(layer.kind).or_default() += 1;
            }
        }
        let truncated = frame.wire_len as usize > frame.data.len();
        input.truncated += u64::from(truncated);
        let facts = Facts {
            number: input.frames,
            time: frame.time,
            wire_len: frame.wire_len,
            truncated,
            link: frame.link,
            layers: net.layers.joined(&inner.layers),
        };
        // What the link says of the direction holds for what it carried, not for what was in a
        // tunnel.
        let marked = net.direction.filter(|_| inner.layers.tunnels() == 0);
        self.offer(facts, inner.packet, marked)?;
        Ok(None)
    }

    fn offer(&mut self, facts: Facts, packet: &[u8], marked: Option<Direction>) -> io::Result<()> {
        if let Side::Sampling(chooser, held) = &mut self.side {
            chooser.observe(&Packet::parse(packet, Meta::default()), marked);
            held.push(Held {
                facts,
                packet: packet.to_vec(),
            });
            if chooser.is_full() {
                self.choose()?;
            }
            return Ok(());
        }
        self.hand(&facts, packet)
    }

    /// Settles the local side and hands over what was held back.
    fn choose(&mut self) -> io::Result<()> {
        let empty = Side::Known(Local::named(Vec::new()));
        match std::mem::replace(&mut self.side, empty) {
            Side::Known(local) => {
                self.fed
                    .input
                    .local
                    .get_or_insert_with(|| local.to_string());
                self.side = Side::Known(local);
                Ok(())
            }
            Side::Sampling(chooser, held) => {
                let local = chooser.choose();
                let text = local.to_string();
                self.side = Side::Known(local);
                if !held.is_empty() {
                    self.watcher.remark(&Remark::Local(text.clone()));
                    self.fed.input.local = Some(text);
                }
                held.iter()
                    .try_for_each(|one| self.hand(&one.facts, &one.packet))
            }
        }
    }

    fn hand(&mut self, facts: &Facts, packet: &[u8]) -> io::Result<()> {
        let parsed = Packet::parse(packet, Meta::default());
        let (direction, routing) = match &mut self.side {
            Side::Known(local) => (local.direction(&parsed), local.routing(&parsed)),
            Side::Sampling(..) => (Direction::Inbound, Routing::Local),
        };
        self.fed.packets += 1;
        self.fed.bytes = self.fed.bytes.saturating_add(packet.len() as u64);
        self.engine.packet(
            &Input {
                number: facts.number,
                time: facts.time,
                packet,
                wire_len: facts.wire_len,
                truncated: facts.truncated,
                fragment: parsed.layout().fragment() != Fragment::Whole,
                direction,
                routing,
                link: facts.link,
                layers: &facts.layers,
            },
            self.out,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Totals;
    use crate::report::JsonReport;
    use etherparse::PacketBuilder;

    /// Notes what it is given.
    #[derive(Default)]
    struct Notes(Vec<(u64, Direction, Vec<u8>, String, bool)>);

    impl Engine for Notes {
        fn packet(&mut self, i: &Input<'_>, _: &mut dyn Output) -> io::Result<()> {
            self.0.push((
                i.number,
                i.direction,
                i.packet.to_vec(),
                i.layers.to_string(),
                i.truncated,
            ));
            Ok(())
        }
        fn finish(&mut self, _: &mut dyn Output) -> io::Result<Totals> {
            Ok(Totals::default())
        }
    }

    #[derive(Default)]
    struct Remarks(Vec<String>);

    impl Watcher for Remarks {
        fn remark(&mut self, remark: &Remark) {
            self.0.push(remark.to_string());
        }
        fn progress(&mut self, _: u64) {}
    }

    fn pcap(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
        let mut out = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
        out.extend([0; 8]);
        out.extend([0xff, 0xff, 0, 0]);
        out.extend(link.to_le_bytes());
        for f in frames {
            out.extend([0; 8]);
            out.extend((f.len() as u32).to_le_bytes());
            out.extend((f.len() as u32).to_le_bytes());
            out.extend(f);
        }
        out
    }

    fn packet(from: u8, to: u8, syn: bool) -> Vec<u8> {
        let builder = PacketBuilder::ipv4([10, 0, 0, from], [10, 0, 0, to], 64).tcp(1, 80, 0, 9);
        let builder = if syn { builder.syn() } else { builder };
        let mut out = Vec::new();
        builder.write(&mut out, &[]).unwrap();
        out
    }

    fn feed(captures: &[Vec<u8>], local: Option<Local>) -> (Notes, Vec<String>, Fed) {
        let (mut notes, mut remarks) = (Notes::default(), Remarks::default());
        let mut out = JsonReport::new(Vec::new(), false, false);
        let mut feed = Feed::new(&mut notes, &mut out, &mut remarks, 8, local);
        for bytes in captures {
            let input = Box::new(io::Cursor::new(bytes.clone()));
            let mut reader = CaptureReader::from_stream("t", input).unwrap();
            feed.capture(&mut reader).unwrap();
        }
        let fed = feed.finish().unwrap();
        (notes, remarks.0, fed)
    }

    #[test]
    fn packets_come_in_order_with_a_direction_known_from_later_ones() {
        // The first packet gives no hint; the SYN after it does.
        let first = packet(2, 1, false);
        let (notes, remarks, fed) = feed(&[pcap(101, &[first.clone(), packet(1, 2, true)])], None);
        assert_eq!(notes.0.len(), 2);
        assert_eq!(
            notes.0[0],
            (1, Direction::Outbound, first, String::new(), false)
        );
        assert_eq!((notes.0[1].0, notes.0[1].1), (2, Direction::Inbound));
        assert_eq!(remarks, ["local side: 10.0.0.2 (accepts connections)"]);
        assert_eq!((fed.packets, fed.bytes, fed.failed_files), (2, 80, 0));
        assert_eq!(fed.input.local.unwrap(), "10.0.0.2 (accepts connections)");
    }

    #[test]
    fn a_named_side_holds_nothing_back_and_is_not_remarked_upon() {
        let local = Local::named(vec![crate::local::parse_prefix("10.0.0.1").unwrap()]);
        let (notes, remarks, fed) = feed(&[pcap(101, &[packet(1, 2, true)])], Some(local));
        assert_eq!(notes.0[0].1, Direction::Outbound);
        assert!(remarks.is_empty());
        assert_eq!(fed.input.local.unwrap(), "10.0.0.1/32 (named by --local)");
    }

    #[test]
    fn files_follow_each_other_and_numbers_go_on() {
        let arp = [&[0; 12][..], &[8, 6], &[0; 28]].concat();
        let ip = [&[0; 12][..], &[8, 0], &packet(1, 2, true)].concat();
        let mut cut = pcap(1, &[ip.clone(), ip.clone()]);
        cut.truncate(cut.len() - 1);
        let (notes, remarks, fed) = feed(
            &[cut, pcap(147, &[vec![1], vec![2]]), pcap(1, &[arp, ip])],
            None,
        );
        let numbers: Vec<u64> = notes.0.iter().map(|n| n.0).collect();
        assert_eq!(numbers, [1, 5]);
        assert_eq!(remarks.len(), 3);
        assert!(
            remarks[0].starts_with("warning: t: cut off at offset"),
            "{}",
            remarks[0]
        );
        assert_eq!(
            remarks[1],
            "warning: t: link type 147 is not supported: 2 frames skipped"
        );
        assert_eq!((fed.input.frames, fed.input.not_ip), (5, 1));
        assert_eq!(fed.input.unknown_links, [(LinkType(147), 2)]);
        assert_eq!(fed.failed_files, 0);
    }

    #[test]
    fn tunnels_are_opened_and_counted() {
        let inner = packet(1, 2, true);
        let mut outer = vec![0x45, 0, 0, 20 + inner.len() as u8, 0, 0, 0, 0, 64, 4, 0, 0];
        outer.extend([192, 0, 2, 1, 192, 0, 2, 2]);
        let frame = [&[0; 12][..], &[0x81, 0, 0, 7, 8, 0], &outer, &inner].concat();
        let (notes, _, fed) = feed(&[pcap(1, &[frame])], None);
        assert_eq!(notes.0[0].2, inner);
        assert_eq!(notes.0[0].3, "vlan 7, ip-in-ip");
        assert_eq!(fed.input.tunnels, [(LayerKind::IpInIp, 1)]);
    }

    #[test]
    fn the_sample_is_bounded() {
        let frames: Vec<Vec<u8>> = (0..crate::local::SAMPLE_PACKETS + 5)
            .map(|_| packet(2, 1, false))
            .collect();
        let (notes, remarks, _) = feed(
            &[pcap(101, &frames), pcap(101, &[packet(1, 2, true)])],
            None,
        );
        // The SYN came after the choice and no longer changes it.
        assert_eq!(remarks, ["local side: 10.0.0.1 (most frequent address)"]);
        assert_eq!(notes.0.len(), frames.len() + 1);
        assert!(notes.0.iter().zip(1..).all(|(n, i)| n.0 == i));
    }
}
