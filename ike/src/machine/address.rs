//! The configuration payload: an address for a peer (RFC 7296 §2.19, §3.15).

use alloc::vec::Vec;
use core::net::IpAddr;

use super::context::Context;
use super::event::{Assigned, Question};
use super::handshake::Address;
use super::sa::{IkeSa, Stop};
use crate::identity::Identity;
use crate::message::{CfgAttributeType, CfgType, CfgValue, Configuration, PayloadWriter, TooLong};

impl IkeSa {
    /// What the host says to the peer's wish for an address: nothing when there is none.
    pub(super) fn address(
        &mut self,
        cx: &mut Context,
        peer: &Identity,
        wish: Option<&Configuration<'_>>,
    ) -> Result<Option<Option<Assigned>>, Stop> {
        let (id, local) = (self.id, self.local_spi());
        let Some(wish) = wish.filter(|wish| wish.kind == CfgType::CFG_REQUEST) else {
            return Ok(None);
        };
        let wanted = wish.iter().any(|one| {
            one.kind == CfgAttributeType::INTERNAL_IP4_ADDRESS
                || one.kind == CfgAttributeType::INTERNAL_IP6_ADDRESS
        });
        if !wanted || !cx.config.give_addresses {
            return Ok(None);
        }
        let Some(work) = self.handshake_mut().and_then(|own| own.work.as_mut()) else {
            return Err(Stop::Wait);
        };
        match &work.address {
            Address::Answered(answer) => Ok(Some(answer.clone())),
            Address::Asked(_) => Err(Stop::Wait),
            Address::Unasked => {
                let wishes = addresses(wish);
                match cx.ask(local, Question::Address(id, peer.clone(), wishes)) {
                    Some(question) => work.address = Address::Asked(question),
                    None => return Ok(Some(None)),
                }
                Err(Stop::Wait)
            }
        }
    }
}

pub(super) fn addresses(configuration: &Configuration<'_>) -> Vec<IpAddr> {
    let of = |kind| {
        kind == CfgAttributeType::INTERNAL_IP4_ADDRESS
            || kind == CfgAttributeType::INTERNAL_IP6_ADDRESS
    };
    values(configuration, of)
}

pub(super) fn name_servers(configuration: &Configuration<'_>) -> Vec<IpAddr> {
    let of = |kind| {
        kind == CfgAttributeType::INTERNAL_IP4_DNS || kind == CfgAttributeType::INTERNAL_IP6_DNS
    };
    values(configuration, of)
}

fn values(configuration: &Configuration<'_>, of: impl Fn(CfgAttributeType) -> bool) -> Vec<IpAddr> {
    configuration
        .iter()
        .filter(|one| of(one.kind))
        .filter_map(|one| match one.value()? {
            CfgValue::Ip4(address) => Some(address.into()),
            CfgValue::Ip6(address) | CfgValue::Prefix6(address, _) => Some(address.into()),
            CfgValue::Empty | CfgValue::Subnet4(..) | CfgValue::Types(_) | CfgValue::Octets(_) => {
                None
            }
        })
        .collect()
}

pub(super) fn write_address(writer: &mut PayloadWriter, given: &Assigned) -> Result<(), TooLong> {
    let octets = |address: &IpAddr, prefix: bool| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => {
            let mut octets = address.octets().to_vec();
            if prefix {
                octets.push(128);
            }
            octets
        }
    };
    let kind = |address: &IpAddr, v4, v6| if address.is_ipv4() { v4 } else { v6 };
    let mut all: Vec<(CfgAttributeType, Vec<u8>)> = Vec::new();
    for address in &given.addresses {
        let (v4, v6) = (
            CfgAttributeType::INTERNAL_IP4_ADDRESS,
            CfgAttributeType::INTERNAL_IP6_ADDRESS,
        );
        all.push((kind(address, v4, v6), octets(address, true)));
    }
    for address in &given.name_servers {
        let (v4, v6) = (
            CfgAttributeType::INTERNAL_IP4_DNS,
            CfgAttributeType::INTERNAL_IP6_DNS,
        );
        all.push((kind(address, v4, v6), octets(address, false)));
    }
    let borrowed: Vec<(CfgAttributeType, &[u8])> = all
        .iter()
        .map(|(kind, value)| (*kind, value.as_slice()))
        .collect();
    writer.configuration(CfgType::CFG_REPLY, &borrowed)?;
    Ok(())
}
