//! Makes text from the network or the file system fit for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with everything a terminal would act upon written as `\u{…}`.
///
/// That is control characters (C0, DEL, C1), line and paragraph separators and the characters
/// that turn the direction of writing, which could make a line read as another one. The backslash
/// itself is doubled, so that no two texts look the same.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c == '\\' || acts(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c == '\\' {
            out.push_str("\\\\");
        } else if acts(c) {
            // Writing into a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a terminal would act upon the character instead of showing it.
pub(crate) fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_left_alone() {
        assert!(matches!(escaped("www.müller.example"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_a_terminal_would_act_upon_is_spelled_out() {
        assert_eq!(
            escaped("a\x1b[2Jb\r\n\u{9b}\u{202e}"),
            "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9b}\\u{202e}"
        );
        assert_eq!(escaped("\\u{1b}"), "\\\\u{1b}");
    }

    #[test]
    fn nothing_that_acts_is_left() {
        arbtest::arbtest(|u| {
            let text: String = u.arbitrary()?;
            let out = escaped(&text);
            assert!(!out.chars().any(acts));
            Ok(())
        });
    }
}
