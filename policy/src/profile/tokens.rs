//! The text of a TCP/IP profile as words: separated by blanks and line ends, `;` begins a comment.

use crate::source::{SourceId, Span};

/// A word and its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) span: Span,
}

/// The words of a text, one ahead.
pub(super) struct Tokens<'a> {
    source: SourceId,
    text: &'a str,
    at: usize,
    ahead: Option<Token<'a>>,
    /// Where the last word that was taken ends.
    end: u32,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(source: SourceId, text: &'a str) -> Self {
        let mut tokens = Self {
            source,
            text,
            at: 0,
            ahead: None,
            end: 0,
        };
        tokens.ahead = tokens.read();
        tokens
    }

    pub(super) const fn peek(&self) -> Option<Token<'a>> {
        self.ahead
    }

    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        let token = self.ahead.take();
        if let Some(t) = token {
            self.end = t.span.end;
            self.ahead = self.read();
        }
        token
    }

    /// The place behind the last word that was taken.
    pub(super) const fn behind(&self) -> Span {
        Span::new(self.source, self.end, self.end)
    }

    fn read(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.text.get(self.at..)?;
            let blank = rest.find(|c: char| !c.is_whitespace() && c != '\u{feff}')?;
            let word = rest.get(blank..)?;
            if word.starts_with(';') {
                let comment = word.find('\n').unwrap_or(word.len());
                self.at += blank + comment;
                continue;
            }
            let length = word
                .find(|c: char| c.is_whitespace() || c == ';')
                .unwrap_or(word.len());
            let start = self.at + blank;
            self.at = start + length;
            return Some(Token {
                text: word.get(..length)?,
                span: Span::new(
                    self.source,
                    u32::try_from(start).ok()?,
                    u32::try_from(self.at).ok()?,
                ),
            });
        }
    }
}
