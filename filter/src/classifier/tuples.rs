//! Rule sets and header traces as text, in the columns of ClassBench filter files.
//!
//! A rule is a line `@SRC/LEN  DST/LEN  LO : HI  LO : HI  0xPP/0xMM  0xFFFF/0xMMMM`: source and
//! destination prefix, ranges of source and destination ports, protocol with a mask that is all or
//! nothing, and flags that are not looked at. A header is a line `SRC  DST  SPORT  DPORT  PROTO`, and after
//! any number of other columns the position of the first rule that matches, or -1. Columns are
//! separated by tabs. IPv4 addresses of headers may be decimal numbers. The two ports constrain
//! every protocol.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::key::{Address, Key, Pattern, Protocol, Service};

/// A line that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what} expected")]
#[non_exhaustive]
pub struct TupleError {
    /// Its number, from 1.
    pub line: usize,
    /// What should have been there.
    pub what: &'static str,
}

/// An address that can be read from text.
pub trait TupleAddress: Address {
    /// From text in the family's notation, or for IPv4 a decimal number.
    fn read(text: &str) -> Option<Self>;
    /// First and last address of a prefix.
    fn prefix(self, length: u32) -> Option<(Self, Self)>;
}

impl TupleAddress for u32 {
    fn read(text: &str) -> Option<Self> {
        text.parse()
            .ok()
            .or_else(|| text.parse().ok().map(Ipv4Addr::to_bits))
    }

    fn prefix(self, length: u32) -> Option<(Self, Self)> {
        let host = Self::MAX.checked_shr(length).unwrap_or(0);
        (length <= Self::BITS).then_some((self & !host, self | host))
    }
}

impl TupleAddress for u128 {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Ipv6Addr::to_bits)
    }

    fn prefix(self, length: u32) -> Option<(Self, Self)> {
        let host = Self::MAX.checked_shr(length).unwrap_or(0);
        (length <= Self::BITS).then_some((self & !host, self | host))
    }
}

/// Whether the addresses of the first rule or header are IPv6.
#[must_use]
pub fn is_ipv6(text: &str) -> bool {
    let first = text.lines().next().and_then(|line| line.split('\t').next());
    first.is_some_and(|address| address.contains(':'))
}

/// The rules of a file.
///
/// # Errors
/// [`TupleError`] names the first line that is none.
pub fn rules<A: TupleAddress>(text: &str) -> Result<Vec<Pattern<A>>, TupleError> {
    (1..)
        .zip(text.lines())
        .map(|(line, text)| rule(text).map_err(|what| TupleError { line, what }))
        .collect()
}

/// A header and the position of the first rule that is said to match it.
pub type Header<A> = (Key<A>, Option<u32>);

/// The headers of a trace.
///
/// # Errors
/// [`TupleError`] names the first line that is none.
pub fn headers<A: TupleAddress>(text: &str) -> Result<Vec<Header<A>>, TupleError> {
    (1..)
        .zip(text.lines())
        .map(|(line, text)| header(text).map_err(|what| TupleError { line, what }))
        .collect()
}

fn rule<A: TupleAddress>(text: &str) -> Result<Pattern<A>, &'static str> {
    let mut columns = text
        .strip_prefix('@')
        .ok_or("@")?
        .split('\t')
        .map(str::trim);
    let prefix = |column: Option<&str>| {
        let (address, length) = column?.split_once('/')?;
        A::read(address)?.prefix(length.parse().ok()?)
    };
    let range = |column: Option<&str>| {
        let (low, high) = column?.split_once(':')?;
        Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
    };
    let source = prefix(columns.next()).ok_or("source prefix")?;
    let destination = prefix(columns.next()).ok_or("destination prefix")?;
    let a = range(columns.next()).ok_or("range of source ports")?;
    let b = range(columns.next()).ok_or("range of destination ports")?;
    let protocol = columns
        .next()
        .and_then(|column| {
            let (value, mask) = column.split_once('/')?;
            match mask.strip_prefix("0x")? {
                "00" => Some(Protocol::Any),
                "FF" | "ff" => {
                    let value = u8::from_str_radix(value.strip_prefix("0x")?, 16).ok()?;
                    Some(Protocol::Is(value))
                }
                _ => None,
            }
        })
        .ok_or("protocol with mask 0x00 or 0xFF")?;
    let service = Service {
        protocol,
        a,
        b,
        ..Service::ANY
    };
    Ok(Pattern {
        source,
        destination,
        service,
    })
}

fn header<A: TupleAddress>(text: &str) -> Result<Header<A>, &'static str> {
    let mut columns = text.split('\t').map(str::trim);
    let mut next = |what| columns.next().ok_or(what);
    let key = Key {
        source: A::read(next("source address")?).ok_or("source address")?,
        destination: A::read(next("destination address")?).ok_or("destination address")?,
        a: next("source port")?.parse().map_err(|_| "source port")?,
        b: next("destination port")?
            .parse()
            .map_err(|_| "destination port")?,
        protocol: next("protocol")?.parse().map_err(|_| "protocol")?,
        ..Key::default()
    };
    let expect = match columns.next_back() {
        Some("-1") => None,
        Some(n) => Some(n.parse().map_err(|_| "position of a rule or -1")?),
        None => return Err("position of a rule or -1"),
    };
    Ok((key, expect))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_headers_are_read() {
        let text = "@192.0.2.0/24\t0.0.0.0/0\t0 : 65535\t80 : 88\t0x06/0xFF\t0x0000/0x0000\n\
                    @0.0.0.0/0\t198.51.100.7/32\t0 : 65535\t0 : 65535\t0x00/0x00\t0x0000/0x0000\n";
        let rules = rules::<u32>(text).unwrap();
        assert_eq!(rules[0].source, (0xc000_0200, 0xc000_02ff));
        assert_eq!(rules[0].destination, (0, u32::MAX));
        assert_eq!(rules[0].service.b, (80, 88));
        assert_eq!(rules[0].service.protocol, Protocol::Is(6));
        assert_eq!(rules[1].destination, (0xc633_6407, 0xc633_6407));
        assert_eq!(rules[1].service, Service::ANY);
        let headers =
            headers::<u32>("3221225985\t1.2.3.4\t9\t80\t6\t0\t0\n1\t2\t3\t4\t5\t-1\n").unwrap();
        assert_eq!(headers[0].0.source, 0xc000_0201);
        assert_eq!(headers[0].1, Some(0));
        assert_eq!(headers[1].1, None);
        assert!(rules[0].matches(&headers[0].0));
        assert!(!rules[0].matches(&headers[1].0));
        let six = "@2001:db8::/32\t::/0\t0 : 1\t0 : 1\t0x00/0x00\t0/0\n";
        assert!(is_ipv6(six) && !is_ipv6(text));
        let low = 0x2001_0db8_u128 << 96;
        assert_eq!(
            super::rules::<u128>(six).unwrap()[0].source,
            (low, low | u128::MAX >> 32)
        );
    }

    #[test]
    fn nonsense_is_told_by_line() {
        let good = "@1.0.0.0/8\t0.0.0.0/0\t0 : 1\t0 : 1\t0x06/0xFF\t0/0\n";
        for (bad, what) in [
            ("1.0.0.0/8", "@"),
            ("@1.0.0.0/33", "source prefix"),
            ("@1.0.0.0/8\t::/0", "destination prefix"),
            ("@1.0.0.0/8\t1.1.1.1/32\t0-5", "range of source ports"),
            (
                "@1.0.0.0/8\t1.1.1.1/32\t0 : 5\t0 : 70000",
                "range of destination ports",
            ),
            (
                "@1.0.0.0/8\t1.1.1.1/32\t0 : 5\t0 : 7\t0x06/0xF0",
                "protocol with mask 0x00 or 0xFF",
            ),
        ] {
            let text = alloc::format!("{good}{bad}");
            assert_eq!(
                rules::<u32>(&text),
                Err(TupleError { line: 2, what }),
                "{bad}"
            );
        }
        for (bad, what) in [
            ("", "source address"),
            ("1\t2\t3\t4", "protocol"),
            ("1\t2\t3\t4\t256\t0", "protocol"),
            ("1\t2\t3\t4\t5", "position of a rule or -1"),
            ("1\t2\t3\t4\t5\tx", "position of a rule or -1"),
        ] {
            let text = alloc::format!("1\t2\t3\t4\t5\t0\n{bad}\n");
            assert_eq!(
                headers::<u32>(&text),
                Err(TupleError { line: 2, what }),
                "{bad}"
            );
        }
    }
}
