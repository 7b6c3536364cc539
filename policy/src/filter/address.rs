//! Addresses of rules: values on the line, address objects, sets and groups.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use hostward_filter::{AddressSpec, Group, Members};

use super::Compiler;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::policy::{Object, Setting};
use crate::schema::ParameterId;
use crate::source::Span;
use crate::tables::ipsec::address::{All, IP_ADDR_GROUP, ip_addr, ip_addr_group, ip_addr_set};
use crate::value::Atom;

impl Compiler<'_> {
    /// One end of a rule; none when it has an error, which was told.
    pub(super) fn end(
        &mut self,
        rule: Object<'_>,
        parameter: ParameterId,
    ) -> Option<Members<AddressSpec>> {
        let setting = rule.one(parameter)?;
        match setting.object() {
            Some(object) if object.is(&IP_ADDR_GROUP) => self.group(object).map(Members::Group),
            Some(object) => self.address(object).map(Members::One),
            None => self.spec(&setting).map(Members::One),
        }
    }

    /// An `IpAddr` or `IpAddrSet`.
    fn address(&mut self, object: Object<'_>) -> Option<AddressSpec> {
        if let Some(known) = self.addresses.get(&object.index()) {
            return *known;
        }
        let setting = object
            .one(ip_addr::ADDR)
            .or_else(|| object.one(ip_addr_set::ADDRESSES));
        let spec = setting.and_then(|s| self.spec(&s));
        self.addresses.insert(object.index(), spec);
        spec
    }

    fn group(&mut self, object: Object<'_>) -> Option<Arc<Group<AddressSpec>>> {
        if let Some(known) = self.address_groups.get(&object.index()) {
            return known.clone();
        }
        let members: Option<Vec<_>> = object
            .objects(ip_addr_group::MEMBERS)
            .map(|member| self.address(member))
            .collect();
        let group = members.map(|members| Arc::new(Group::new(object.name(), members)));
        self.address_groups.insert(object.index(), group.clone());
        group
    }

    fn spec(&mut self, setting: &Setting<'_>) -> Option<AddressSpec> {
        let (atom, span) = setting.placed().next()?;
        if let Atom::Address(address) = atom {
            return Some(AddressSpec::host(address));
        }
        if let Atom::Addresses { first, last } = atom {
            return AddressSpec::range(first, last).ok();
        }
        if let Atom::Prefix { address, length } = atom {
            let spec = AddressSpec::prefix(address, length).ok()?;
            self.host_bits(&spec, address, length, span);
            return Some(spec);
        }
        match setting.choice::<All>()? {
            All::All => Some(AddressSpec::Any),
            All::All4 => Some(AddressSpec::AnyV4),
            All::All6 => Some(AddressSpec::AnyV6),
        }
    }

    /// Warns of bits behind the prefix: a single address may have been meant.
    fn host_bits(&mut self, spec: &AddressSpec, address: IpAddr, length: u8, span: Span) {
        if spec.bounds().is_some_and(|(first, _)| first == address) {
            return;
        }
        self.out.push_with(&codes::HOST_BITS, || {
            Diagnostic::new(
                &codes::HOST_BITS,
                span,
                format!("{address}/{length} has bits behind its length"),
            )
            .label(format!("is read as {spec}"))
            .help(format!("write {spec}, or {address} for the one address"))
        });
    }
}
