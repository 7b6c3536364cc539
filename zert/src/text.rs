//! Small values that records are made of: text, digests, fingerprints, certificate times.

use core::fmt;
use core::str;

use alloc::string::String;
use hostward_hook::UnixTime;

/// Text a peer sent, or nothing. It keeps its memory when it is cleared, so that recycled records
/// do not allocate.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text {
    buf: String,
    known: bool,
}

impl Text {
    /// Longest text that is kept, in bytes; what is longer is cut there. Most kinds of text have
    /// lower bounds of their own.
    pub const MAX: usize = 1024;

    /// Memory that a cleared text keeps, at most.
    const KEPT: usize = 256;

    /// The text, if there is one.
    #[must_use]
    pub fn get(&self) -> Option<&str> {
        self.known.then_some(self.buf.as_str())
    }

    /// Whether there is a text.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.known
    }

    /// The same as the other, in the memory that is there.
    pub(crate) fn assign(&mut self, from: &Self) {
        self.clear();
        self.known = from.known;
        self.buf.push_str(&from.buf);
    }

    /// Another text, whole, or none, in the memory that is there.
    pub(crate) fn assign_str(&mut self, from: Option<&str>) {
        self.clear();
        if let Some(text) = from {
            self.known = true;
            self.buf.push_str(text);
        }
    }

    /// Memory the text holds, in bytes.
    pub(crate) const fn memory(&self) -> usize {
        self.buf.capacity()
    }

    pub(crate) fn clear(&mut self) {
        self.known = false;
        self.buf.clear();
        if self.buf.capacity() > Self::KEPT {
            self.buf = String::new();
        }
    }

    /// Takes bytes over; what is no UTF-8 becomes U+FFFD. So many bytes at most, counted in the
    /// text that is kept: three for a replacement. Says whether all fitted.
    pub(crate) fn set(&mut self, bytes: &[u8], most: usize) -> bool {
        self.clear();
        self.known = true;
        // Nearly all text is as it should be.
        if bytes.len() <= most.min(Self::MAX)
            && let Ok(text) = str::from_utf8(bytes)
        {
            self.buf.push_str(text);
            return true;
        }
        for chunk in bytes.utf8_chunks() {
            let invalid = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
            for c in chunk.valid().chars().chain(invalid) {
                if self.buf.len() + c.len_utf8() > most || !self.push(c) {
                    return false;
                }
            }
        }
        true
    }

    pub(crate) fn push_str(&mut self, s: &str) -> bool {
        self.known = true;
        if self.buf.len() + s.len() <= Self::MAX {
            self.buf.push_str(s);
            return true;
        }
        let mut all = true;
        for c in s.chars() {
            all &= self.push(c);
            if !all {
                break;
            }
        }
        all
    }

    pub(crate) fn push(&mut self, c: char) -> bool {
        self.known = true;
        let fits = self.buf.len() + c.len_utf8() <= Self::MAX;
        if fits {
            self.buf.push(c);
        }
        fits
    }
}

/// For providers of records that are not read from a stream; cut after [`Text::MAX`] bytes.
impl From<&str> for Text {
    fn from(text: &str) -> Self {
        let mut me = Self::default();
        me.set(text.as_bytes(), Self::MAX);
        me
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        if self.push_str(s) {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.get(), f)
    }
}

/// A digest or other raw bytes shown in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "bytes are all there ever is")]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for b in self.0 {
            write!(f, "{b:02x}")?;
        }
        Ok(())
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A short text in place, without memory of its own.
#[derive(Clone, Copy)]
pub(crate) struct Inline<const N: usize> {
    buf: [u8; N],
    len: usize,
}

impl<const N: usize> Inline<N> {
    pub(crate) const fn new() -> Self {
        Self {
            buf: [0; N],
            len: 0,
        }
    }

    /// A value in its written form; what does not fit is cut.
    pub(crate) fn of(value: impl fmt::Display) -> Self {
        let mut me = Self::new();
        // Only a full buffer fails, and then the cut text is the answer.
        let _cut = fmt::write(&mut me, format_args!("{value}"));
        me
    }

    pub(crate) fn as_str(&self) -> &str {
        self.buf
            .get(..self.len)
            .and_then(|b| str::from_utf8(b).ok())
            .unwrap_or_default()
    }
}

impl<const N: usize> fmt::Write for Inline<N> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let end = self.len + s.len();
        let Some(room) = self.buf.get_mut(self.len..end) else {
            return Err(fmt::Error);
        };
        room.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// A JA4 client fingerprint: `a_b_c`, 36 characters.
#[derive(Clone, Copy)]
pub struct Ja4(pub(crate) Inline<36>);

impl Ja4 {
    /// The fingerprint as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Ja4 {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Ja4 {}

impl core::hash::Hash for Ja4 {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Ja4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Ja4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A point in time as a certificate gives it (UTC, RFC 5280 §4.1.2.5), shown as
/// `2027-11-22T06:49:04Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct CertTime {
    /// Year, 0–9999.
    pub year: u16,
    /// Month, 1–12.
    pub month: u8,
    /// Day of the month, 1–31.
    pub day: u8,
    /// Hour, 0–23.
    pub hour: u8,
    /// Minute, 0–59.
    pub minute: u8,
    /// Second, 0–60.
    pub second: u8,
}

/// In UTC; what lies beyond the year 9999 is the end of that year.
impl From<UnixTime> for CertTime {
    fn from(time: UnixTime) -> Self {
        /// The last second of 9999.
        const LAST: u64 = 253_402_300_799;
        let seconds = (time.as_micros() / 1_000_000).min(LAST);
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        // Days since 1 March of year 0, in eras of 400 years, then years that end in February.
        let days = days + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let (year, month, day) = (
            400 * era + year + u64::from(month >= 10),
            if month < 10 { month + 3 } else { month - 9 },
            day - (153 * month + 2) / 5 + 1,
        );
        Self {
            year: year as u16,
            month: month as u8,
            day: day as u8,
            hour: (rest / 3_600) as u8,
            minute: (rest / 60 % 60) as u8,
            second: (rest % 60) as u8,
        }
    }
}

impl fmt::Display for CertTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        )
    }
}

/// The SHA-256 fingerprint of an SSH host key, shown as `SHA256:` and unpadded base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a digest is all there ever is")]
pub struct KeyFingerprint(pub [u8; 32]);

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use core::fmt::Write as _;
        f.write_str("SHA256:")?;
        for three in self.0.chunks(3) {
            let mut bits = 0u32;
            for i in 0..3 {
                bits = bits << 8 | u32::from(three.get(i).copied().unwrap_or(0));
            }
            for i in 0..=three.len() {
                let six = (bits >> (18 - 6 * i) & 63) as u8;
                f.write_char(match six {
                    0..=25 => (b'A' + six) as char,
                    26..=51 => (b'a' + six - 26) as char,
                    52..=61 => (b'0' + six - 52) as char,
                    62 => '+',
                    _ => '/',
                })?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn text_is_bounded_and_keeps_what_fits() {
        let mut t = Text::default();
        assert_eq!(t.get(), None);
        assert!(t.set(b"a\xffb", 5));
        assert_eq!(t.get(), Some("a\u{FFFD}b"));
        assert!(!t.set(b"a\xffb", 4));
        assert_eq!(t.get(), Some("a\u{FFFD}"));
        // Replacements are longer than what they replace: the bound counts them.
        assert!(!t.set(&[0xFF; 255], 255));
        assert_eq!(t.get().map(str::len), Some(255));
        assert!(t.buf.capacity() <= Text::KEPT);
        assert!(!t.set(b"abcd", 3));
        assert_eq!(t.get(), Some("abc"));
        assert!(!t.set(&[b'x'; Text::MAX + 1], usize::MAX));
        assert_eq!(t.get().map(str::len), Some(Text::MAX));
        t.clear();
        assert_eq!(t.get(), None);
        assert!(t.buf.capacity() <= Text::KEPT);
    }

    #[test]
    fn times_of_day_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            let time = CertTime::from(UnixTime::from_secs(seconds));
            assert_eq!(time.to_string(), text);
        }
    }

    #[test]
    fn fingerprints_are_base64_without_padding() {
        let mut d = [0; 32];
        for (i, b) in d.iter_mut().enumerate() {
            *b = i as u8;
        }
        assert_eq!(
            KeyFingerprint(d).to_string(),
            "SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
        );
        assert_eq!(Hex([0xde, 0xad]).to_string(), "dead");
    }
}
