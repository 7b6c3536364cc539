//! Packets that a guarded host should not have to cope with.

use etherparse::{
    EtherType, Ethernet2Header, IpFragOffset, IpNumber, Ipv4Header, PacketBuilder, TcpHeader,
};

const FROM: [u8; 4] = [192, 0, 2, 66];

/// One frame, or several that belong together, and what it is.
pub struct Hostile {
    /// What it is.
    pub what: &'static str,
    /// The frames.
    pub frames: Vec<Vec<u8>>,
    /// Code under which the guard should refuse the (last) packet.
    pub code: u16,
}

/// Hostile frames for the host at `to`.
pub fn frames(to: [u8; 4], mac: [u8; 6]) -> Result<Vec<Hostile>, Box<dyn std::error::Error>> {
    let ip = |payload: Vec<u8>, number: IpNumber| -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let mut header = Ipv4Header::new(payload.len() as u16, 64, number, FROM, to)?;
        header.header_checksum = header.calc_header_checksum();
        let mut out = header.to_bytes().to_vec();
        out.extend(payload);
        Ok(out)
    };
    let framed = |packet: &[u8]| {
        let header = Ethernet2Header {
            source: [2, 0, 0, 0, 0, 66],
            destination: mac,
            ether_type: EtherType::IPV4,
        };
        let mut frame = header.to_bytes().to_vec();
        frame.extend(packet);
        frame
    };
    let tcp = |header: TcpHeader, source: [u8; 4]| -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let mut out = Vec::new();
        PacketBuilder::ipv4(source, to, 64)
            .tcp_header(header)
            .write(&mut out, b"")?;
        Ok(out)
    };

    let mut syn_fin = TcpHeader::new(1025, 80, 1, 1024);
    syn_fin.syn = true;
    syn_fin.fin = true;
    let mut land = TcpHeader::new(80, 80, 1, 1024);
    land.syn = true;
    let mut telnet = TcpHeader::new(1026, 23, 1, 1024);
    telnet.syn = true;

    // Two fragments of one datagram: the second begins inside the first and carries other bytes.
    let mut first = Vec::new();
    PacketBuilder::ipv4(FROM, to, 64)
        .udp(1027, 53)
        .write(&mut first, &[1; 40])?;
    let udp = first.split_off(20);
    let fragment =
        |at: u16, more: bool, data: &[u8]| -> Result<Vec<u8>, Box<dyn std::error::Error>> {
            let mut h = Ipv4Header::new(data.len() as u16, 64, IpNumber::UDP, FROM, to)?;
            h.identification = 77;
            h.dont_fragment = false;
            h.more_fragments = more;
            h.fragment_offset = IpFragOffset::try_new(at / 8)?;
            h.header_checksum = h.calc_header_checksum();
            let mut out = h.to_bytes().to_vec();
            out.extend(data);
            Ok(out)
        };
    let head = fragment(0, true, udp.get(..32).unwrap_or_default())?;
    let overlap = fragment(16, false, &[9; 32])?;

    let malformed = hostward::ids::malformed::code_of;
    use hostward::hook::Anomaly;
    Ok(vec![
        Hostile {
            what: "SYN and FIN together",
            frames: vec![framed(&tcp(syn_fin, FROM)?)],
            code: malformed(Anomaly::TcpFlags).get(),
        },
        Hostile {
            what: "source equals destination (LAND)",
            frames: vec![framed(&tcp(land, to)?)],
            code: hostward::ids::malformed::LAND.get(),
        },
        Hostile {
            what: "TCP header cut off",
            frames: vec![framed(&ip(vec![4, 1, 0, 80, 0, 0], IpNumber::TCP)?)],
            code: malformed(Anomaly::TcpTruncated).get(),
        },
        Hostile {
            what: "connection to a port nobody permitted",
            frames: vec![framed(&tcp(telnet, FROM)?)],
            code: hostward::filter::IMPLIED_DENY.get(),
        },
        Hostile {
            what: "overlapping fragments",
            frames: vec![framed(&head), framed(&overlap)],
            code: hostward::hook::reason::FRAGMENT_OVERLAP.get(),
        },
    ])
}
