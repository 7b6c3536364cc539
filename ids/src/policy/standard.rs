//! The policy that is in force unless another one is given.

use alloc::vec;
use alloc::vec::Vec;

use super::attack::{Attack, QueueSize};
use super::rule::{AttackRule, Policy, PortRange, Protocol, ScanEventRule, ScanGlobalRule};

/// Ports of services that answer whatever comes: echo, daytime, quote of the day, character
/// generator, time.
const ECHOES: [PortRange; 5] = [7..=7, 13..=13, 17..=17, 19..=19, 37..=37];

impl Policy {
    /// Tells the log of every type of attack whose criteria need no list and which correct hosts do
    /// not show, and of scans with z/OS's numbers. Nothing is discarded, limited or reset but
    /// malformed packets.
    #[must_use]
    pub fn standard() -> Self {
        let echoes = || -> Vec<PortRange> { ECHOES.into() };
        let attacks = vec![
            AttackRule::new("malformed", Attack::MalformedPacket),
            AttackRule::new("fragments", Attack::IpFragment { early: false }),
            AttackRule::new("redirects", Attack::IcmpRedirect),
            AttackRule::new(
                "floods",
                Attack::Flood {
                    percentage: 10,
                    minimum: 1000,
                },
            ),
            AttackRule::new(
                "perpetual-echo",
                Attack::PerpetualEcho {
                    local: echoes(),
                    remote: echoes(),
                },
            ),
            AttackRule::new(
                "data-hiding",
                Attack::DataHiding {
                    options: true,
                    quotes: true,
                },
            ),
            AttackRule::new("tcp-queues", Attack::TcpQueueSize(QueueSize::VeryLong)),
            AttackRule::new("tcp-stall", Attack::GlobalTcpStall),
        ];
        Self {
            attacks,
            scan: Some(ScanGlobalRule::new("scans")),
            scan_events: vec![
                ScanEventRule::new("scan-tcp", Protocol::Tcp),
                ScanEventRule::new("scan-udp", Protocol::Udp),
                ScanEventRule::new("scan-icmp", Protocol::Icmp),
                ScanEventRule::new("scan-icmpv6", Protocol::Icmpv6),
            ],
            ..Self::none()
        }
    }
}
