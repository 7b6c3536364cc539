//! UDP between two services that answer whatever comes (`PERPETUAL_ECHO`): one forged datagram, and
//! they talk to each other for ever.

use hostward_hook::layout::proto;
use hostward_hook::packet::Packet;

use crate::codes::PERPETUAL_ECHO;
use crate::event::Finding;
use crate::policy::PortRange;

/// From one of the remote ports to one of the local ports.
pub(super) fn check(
    packet: &Packet<'_>,
    local: &[PortRange],
    remote: &[PortRange],
) -> Option<Finding> {
    let l = packet.layout();
    let (source, destination) = l.ports().filter(|_| l.protocol() == proto::UDP)?;
    let among = |ranges: &[PortRange], port| ranges.iter().any(|r| r.contains(&port));
    (among(local, destination) && among(remote, source)).then(|| {
        Finding::at(
            PERPETUAL_ECHO,
            "perpetual-echo",
            "ports",
            l.upper_offset(),
            u32::from(source) << 16 | u32::from(destination),
        )
    })
}
