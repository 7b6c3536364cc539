//! Bounded walks over option lists: IPv4, IPv6 hop-by-hop and destination, TCP.
//!
//! Each iterator yields the options in order and, where the list is broken, one error with the
//! offset of the broken option, after which it ends.

/// An IPv4 option (RFC 791 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IpOption<'a> {
    /// The type octet: copied flag, class and number.
    pub kind: u8,
    /// Offset of the type octet within the options.
    pub offset: usize,
    /// What follows the length octet.
    pub data: &'a [u8],
}

/// Walks IPv4 options; ends at end-of-list, skips no-operation.
#[derive(Clone, Debug)]
pub struct IpOptions<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> IpOptions<'a> {
    /// Walks the option bytes of an IPv4 header (those behind the twentieth).
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Offset of the first non-zero byte behind the end-of-list option, if any.
    #[must_use]
    pub fn padding(bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            match bytes.get(at)? {
                0 => {
                    let rest = bytes.get(at + 1..)?;
                    return rest.iter().position(|b| *b != 0).map(|p| at + 1 + p);
                }
                1 => at += 1,
                _ => at += usize::from(*bytes.get(at + 1)?).max(2),
            }
        }
    }
}

impl<'a> Iterator for IpOptions<'a> {
    type Item = Result<IpOption<'a>, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        tlv(self.bytes, &mut self.at, 0, 1)
            .map(|r| r.map(|(kind, offset, data)| IpOption { kind, offset, data }))
    }
}

/// A TCP option (RFC 9293 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpOption<'a> {
    /// The kind octet.
    pub kind: u8,
    /// Offset of the kind octet within the options.
    pub offset: usize,
    /// What follows the length octet.
    pub data: &'a [u8],
}

/// Walks TCP options; ends at end-of-list, skips no-operation.
#[derive(Clone, Debug)]
pub struct TcpOptions<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> TcpOptions<'a> {
    /// Walks the option bytes of a TCP header (those behind the twentieth).
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl<'a> Iterator for TcpOptions<'a> {
    type Item = Result<TcpOption<'a>, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        tlv(self.bytes, &mut self.at, 0, 1)
            .map(|r| r.map(|(kind, offset, data)| TcpOption { kind, offset, data }))
    }
}

/// Kind, offset and data of an option, or the offset of a broken one.
type Step<'a> = Result<(u8, usize, &'a [u8]), usize>;

/// One step over options whose length octet counts type and length themselves.
fn tlv<'a>(bytes: &'a [u8], at: &mut usize, end: u8, nop: u8) -> Option<Step<'a>> {
    loop {
        let kind = *bytes.get(*at)?;
        if kind == end {
            *at = bytes.len();
            return None;
        }
        if kind == nop {
            *at += 1;
            continue;
        }
        let offset = *at;
        let length = bytes.get(offset + 1).map_or(0, |l| usize::from(*l));
        return Some(match bytes.get(offset + 2..offset + length) {
            Some(data) if length >= 2 => {
                *at = offset + length;
                Ok((kind, offset, data))
            }
            _ => {
                *at = bytes.len();
                Err(offset)
            }
        });
    }
}

/// An option of an IPv6 hop-by-hop or destination header (RFC 8200 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ip6Option<'a> {
    /// The type octet, action and change bits included.
    pub kind: u8,
    /// Offset of the type octet within the options.
    pub offset: usize,
    /// The option's data.
    pub data: &'a [u8],
}

/// Walks IPv6 options; Pad1 is skipped, PadN is yielded (kind 1).
#[derive(Clone, Debug)]
pub struct Ip6Options<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Ip6Options<'a> {
    /// Walks the options of a header: what is behind its first two bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl<'a> Iterator for Ip6Options<'a> {
    type Item = Result<Ip6Option<'a>, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let kind = *self.bytes.get(self.at)?;
            if kind == 0 {
                self.at += 1;
                continue;
            }
            let offset = self.at;
            let data = self
                .bytes
                .get(offset + 1)
                .and_then(|l| self.bytes.get(offset + 2..offset + 2 + usize::from(*l)));
            return Some(if let Some(data) = data {
                self.at = offset + 2 + data.len();
                Ok(Ip6Option { kind, offset, data })
            } else {
                self.at = self.bytes.len();
                Err(offset)
            });
        }
    }
}
