//! The text as a flat list of items: every byte is in one of them, comments and blanks included.

use alloc::vec::Vec;

use crate::schema::{KeyId, Language};
use crate::source::{SourceId, Sources, Span};
use crate::value::is_blank;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ItemKind {
    /// Nothing but blanks up to the end of the line.
    Blank,
    /// A comment on a line of its own.
    Comment,
    /// A keyword with what follows it, up to a brace or the end of the line.
    Line,
    /// An opening brace, with a comment behind it.
    Open,
    /// A closing brace, with a comment behind it.
    Close,
    /// A line that is kept and not read: it holds control characters, or is nested too deeply.
    Unread,
}

/// One item. Where it ends the next one begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) start: u32,
    /// The keyword of a line, `KeyId::MAX` when it is unknown.
    pub(crate) key: KeyId,
    pub(crate) kind: ItemKind,
    pub(crate) depth: u8,
}

/// What a piece of an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKind {
    /// Blanks, tabs, the end of a line, a byte order mark.
    Blank,
    /// Keyword or value.
    Word,
    /// `{`.
    Open,
    /// `}`.
    Close,
    /// `#` and what follows it.
    Comment,
    /// Text that is taken as it is, blanks and `#` included, or a line that is not read.
    Text,
}

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a kind and a place")]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where.
    pub span: Span,
}

/// A text as items in their order. Nesting is a number, not a structure: a million nested braces
/// need no stack.
#[derive(Clone, Debug)]
pub struct Tree {
    source: SourceId,
    items: Vec<Item>,
    len: u32,
}

impl Tree {
    pub(crate) const fn new(source: SourceId, items: Vec<Item>, len: u32) -> Self {
        Self { source, items, len }
    }

    /// The text.
    #[must_use]
    pub const fn source(&self) -> SourceId {
        self.source
    }

    /// Number of items.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether the text is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The items: kind, nesting (0 outside of blocks), place. The places join without gap and
    /// together are the whole text.
    pub fn items(&self) -> impl Iterator<Item = (ItemKind, u8, Span)> {
        self.raw().map(|(item, span)| (item.kind, item.depth, span))
    }

    pub(crate) fn raw(&self) -> impl Iterator<Item = (Item, Span)> + Clone {
        let source = self.source;
        let ends = self.items.iter().skip(1).map(|i| i.start);
        self.items
            .iter()
            .zip(ends.chain(core::iter::once(self.len)))
            .map(move |(item, end)| (*item, Span::new(source, item.start, end)))
    }

    /// The tokens of the text: every byte is in one.
    pub fn tokens<'a>(
        &'a self,
        language: &'a Language,
        sources: &'a Sources,
    ) -> impl Iterator<Item = Token> + 'a {
        self.raw().flat_map(move |(item, span)| {
            tokens(item, sources.text(span), language).map(move |(kind, start, end)| Token {
                kind,
                span: Span::new(self.source, span.start + start, span.start + end),
            })
        })
    }
}

/// The tokens of one item with their places in it.
pub(crate) fn tokens<'a>(
    item: Item,
    text: &'a str,
    language: &Language,
) -> impl Iterator<Item = (TokenKind, u32, u32)> + 'a {
    let unread = item.kind == ItemKind::Unread;
    let verbatim =
        item.kind == ItemKind::Line && language.value(item.key).is_some_and(|v| v.is_verbatim());
    let (mut at, mut words) = (0, 0);
    core::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let first = rest.bytes().next()?;
        let space = |b: u8| is_blank(b) || b == b'\n';
        let start = at;
        let ends = |f: &dyn Fn(u8) -> bool| rest.bytes().position(f).unwrap_or(rest.len());
        // Without what ends the line.
        let line = || {
            rest.trim_end_matches(|c: char| c.is_ascii() && space(c as u8))
                .len()
        };
        let (kind, length) =
            if first == 0xef && words == 0 && rest.starts_with('\u{feff}') && !unread {
                (TokenKind::Blank, 3)
            } else if space(first) {
                (TokenKind::Blank, ends(&|b| !space(b)))
            } else if unread || verbatim && words > 0 {
                (TokenKind::Text, line())
            } else if first == b'#' {
                (TokenKind::Comment, line())
            } else if first == b'{' {
                (TokenKind::Open, 1)
            } else if first == b'}' {
                (TokenKind::Close, 1)
            } else {
                words += 1;
                (
                    TokenKind::Word,
                    ends(&|b| space(b) || matches!(b, b'#' | b'{' | b'}')),
                )
            };
        at += length;
        let place = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Some((kind, place(start), place(at)))
    })
}
