//! Tunnels in SMF records: type 119, subtypes 77 to 80.

use hostward_hook::protection::{Encapsulation as Mode, TunnelKind};
use hostward_hook::time::Now;
use hostward_ipsec::display::DisplayId;
use hostward_ipsec::told::{Happened, TunnelEvent};
use hostward_smf::codes::{
    Encapsulation, IpTunnelFlags, IpTunnelType, MonitorAuthentication, MonitorEncryption, Reason,
    SecurityProtocol,
};
use hostward_smf::layout::{Identification, IpTunnel, kinds};
use hostward_smf::time::Tod;
use hostward_smf::{Address, RawSection, SmfDate, SmfTime, Stamp, Text, Tunnel, TunnelHead, time};

/// Makes records of what IPsec tells of tunnels: 77 and 78 for those that were negotiated, 79 and
/// 80 for those whose keys are written down. What IKE has to say of the same tunnels (73 to 76) is
/// its own.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TunnelRecords {
    /// System identifier of the header.
    pub system: Text<4>,
    /// Identification section.
    pub identification: Identification,
    /// Seconds that local time is ahead of UTC.
    pub utc_offset: i32,
}

impl TunnelRecords {
    /// Records of this system and stack, in UTC.
    #[must_use]
    pub fn new(system: &str, stack: &str) -> Self {
        Self {
            system: system.into(),
            identification: Identification {
                system: system.into(),
                stack: stack.into(),
                release: "HNS 0.1".into(),
                component: "STACK".into(),
                reason: Reason::EVENT,
                ..Identification::default()
            },
            utc_offset: 0,
        }
    }

    /// The record of an event. Its counters and endpoints are written at the extended level only:
    /// where they stand in z/OS's record is not known.
    #[must_use]
    pub fn record(&self, event: &TunnelEvent, now: Now) -> Tunnel {
        let micros = i64::try_from(now.wall.as_micros()).unwrap_or(i64::MAX);
        let local = time::local(micros, self.utc_offset);
        let (date, clock) = local.unwrap_or((SmfDate::NONE, SmfTime(0)));
        let manual = matches!(event.kind, TunnelKind::Manual);
        let gone = matches!(event.happened, Happened::Removed | Happened::Expired);
        let subtype = match (manual, gone) {
            (false, false) => kinds::DYNAMIC_TUNNEL_ADDED,
            (false, true) => kinds::DYNAMIC_TUNNEL_REMOVED,
            (true, false) => kinds::MANUAL_TUNNEL_ACTIVATION,
            (true, true) => kinds::MANUAL_TUNNEL_DEACTIVATION,
        };
        let id = DisplayId {
            kind: event.kind,
            tunnel: event.tunnel,
        };
        let t = &event.transforms;
        let head = IpTunnel {
            tunnel_id: alloc::format!("{id}").as_str().into(),
            action_name: (&*event.name).into(),
            flags: IpTunnelFlags::default().with(IpTunnelFlags::IPV6, event.local.is_ipv6()),
            tunnel_type: if manual {
                IpTunnelType::MANUAL
            } else {
                IpTunnelType::DYNAMIC_STACK
            },
            // 1 is inactive; what active is, is a guess.
            state: if gone { 1 } else { 2 },
            encapsulation: match event.encapsulation {
                Mode::Tunnel => Encapsulation::TUNNEL,
                Mode::Transport => Encapsulation::TRANSPORT,
            },
            protocol: SecurityProtocol(event.protocol),
            authentication: authentication(t.integrity, t.encryption, t.encryption_bits),
            encryption: encryption(t.encryption),
            key_len: t.encryption_bits,
            in_spi: event.inbound_spi.unwrap_or(0),
            out_spi: event.outbound_spi.unwrap_or(0),
            local_endpoint: Address::from(event.local),
            remote_endpoint: Address::from(event.remote),
            in_packets: event.inbound.packets,
            out_packets: event.outbound.packets,
            in_bytes: event.inbound.bytes,
            out_bytes: event.outbound.bytes,
            start: Tod::from_unix_micros(micros).unwrap_or_default(),
            ..IpTunnel::default()
        };
        Tunnel {
            stamp: Stamp {
                system: self.system,
                ..Stamp::new(date, clock, "")
            },
            identification: self.identification,
            subtype,
            head: TunnelHead::Ip(head),
            tail: alloc::vec::Vec::new(),
            // A dynamic tunnel has a second section, of which nothing is known.
            others: if manual {
                alloc::vec::Vec::new()
            } else {
                [RawSection::default()].into()
            },
        }
    }
}

/// IKEv2's number of an integrity algorithm as tunnel records have it; the two that are GMAC in
/// ESP are encryption there.
const fn authentication(
    integrity: Option<u16>,
    encryption: Option<u16>,
    bits: u16,
) -> MonitorAuthentication {
    match (integrity, encryption) {
        (None | Some(0), Some(21)) | (Some(9 | 11), _) => {
            let long = bits == 256 || matches!(integrity, Some(11));
            if long {
                MonitorAuthentication::AES_GMAC_256
            } else {
                MonitorAuthentication::AES_GMAC_128
            }
        }
        (None | Some(0), _) => MonitorAuthentication::NULL,
        (Some(1), _) => MonitorAuthentication::HMAC_MD5,
        (Some(2), _) => MonitorAuthentication::HMAC_SHA1,
        (Some(5), _) => MonitorAuthentication::AES128_XCBC_96,
        (Some(12), _) => MonitorAuthentication::HMAC_SHA2_256_128,
        (Some(13), _) => MonitorAuthentication::HMAC_SHA2_384_192,
        (Some(14), _) => MonitorAuthentication::HMAC_SHA2_512_256,
        (Some(_), _) => MonitorAuthentication::UNKNOWN,
    }
}

/// IKEv2's number of an encryption algorithm as tunnel records have it. What they have no number
/// for keeps IKEv2's, as AES-GCM does.
const fn encryption(number: Option<u16>) -> MonitorEncryption {
    match number {
        None | Some(11 | 21) => MonitorEncryption::NULL,
        Some(3) => MonitorEncryption::TRIPLE_DES,
        Some(n) if n <= 255 => MonitorEncryption(n as u8),
        Some(_) => MonitorEncryption(0),
    }
}
