//! Braces: what they open and close, and what is done when they do not match.

use alloc::format;

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::model::{BROKEN, NONE};
use crate::schema::{Body, Context, Form, Key, KeyId, Multiplicity, Naming, Statement};
use crate::tree::ItemKind;

use super::{Closed, DEPTH, Frame, Parser, Pending};

/// What stands for a closing brace where a keyword might.
const CLOSE: &str = "}";

impl Parser<'_, '_> {
    pub(super) fn brace_on_line(&mut self, at: u32) {
        // Once a line.
        if self.brace_reported {
            return;
        }
        self.brace_reported = true;
        let span = self.span(at, at + 1);
        self.out.push_with(&codes::BRACE_ON_LINE, || {
            Diagnostic::new(
                &codes::BRACE_ON_LINE,
                span,
                "braces and parameters share a line",
            )
            .label("begin a new line here")
            .help("z/OS wants every brace and every parameter on a line of its own; `hostward policy format` does that")
        });
    }

    pub(super) fn push(&mut self, frame: Frame) {
        self.stack.push(frame);
    }

    /// `{` at `at`.
    pub(super) fn open(&mut self, start: u32, at: u32, column: Option<u32>) {
        self.item(ItemKind::Open, start, KeyId::MAX);
        if self.stack.len() >= DEPTH || self.too_deep > 0 {
            self.pending = None;
            self.too_deep = self.too_deep.saturating_add(1);
            if !self.deep_reported {
                self.deep_reported = true;
                let span = self.span(at, at + 1);
                self.out.push_with(&codes::TOO_DEEP, || {
                    Diagnostic::new(
                        &codes::TOO_DEEP,
                        span,
                        format!("blocks are nested more than {DEPTH} deep"),
                    )
                    .label("what is inside is not read")
                });
            }
            return;
        }
        self.commit_closed();
        let last = self.last.take();
        let depth = self.stack.len();
        self.settle(true, None);
        if self.stack.len() == depth {
            let silent = self.stack.last().is_some_and(|f| f.statement.is_none());
            match last {
                // One message about the two lines is enough.
                Some((_, _, true)) => {}
                _ if silent => {}
                last => self.stray_open(at, last),
            }
            self.blame();
            if self.balance.missing > 0 {
                // Nothing closes it: it is the one too many.
                self.balance.missing -= 1;
                return;
            }
            self.push(Frame {
                object: NONE,
                head: (at, at + 1),
                column: column.unwrap_or(0),
                ..Frame::default()
            });
        }
        if let Some(frame) = self.stack.last_mut() {
            frame.brace_column = column;
        }
    }

    fn stray_open(&mut self, at: u32, last: Option<(u32, u32, bool)>) {
        let span = self.span(at, at + 1);
        let Some((start, end, _)) = last else {
            return self.out.push_with(&codes::STRAY_OPEN, || {
                let message = "`{` follows nothing that takes a block";
                Diagnostic::new(&codes::STRAY_OPEN, span, message)
                    .label("a statement such as `IpFilterRule NAME` is expected before it")
                    .help("write the statement on the line before, or remove the block")
            });
        };
        let (name, head) = (self.slice(start, end), self.span(start, end));
        self.out.push_with(&codes::STRAY_OPEN, || {
            Diagnostic::new(&codes::STRAY_OPEN, span, format!("`{name}` takes no block"))
                .label("not expected here")
                .also(head, "its values stand on its line")
                .help(
                    "remove the block; a parameter that stands in it belongs behind the one before",
                )
        });
    }

    /// `}` at `at`.
    pub(super) fn close(&mut self, start: u32, at: u32, column: Option<u32>) {
        self.settle(false, column.map(|c| (CLOSE, c)));
        self.last = None;
        if self.too_deep > 0 {
            self.too_deep -= 1;
            self.item(ItemKind::Close, start, KeyId::MAX);
            return;
        }
        self.commit_closed();
        self.imply_by_column(at, column);
        self.item(ItemKind::Close, start, KeyId::MAX);
        let Some(frame) = self.stack.pop() else {
            self.found.surplus = self.found.surplus.saturating_add(1);
            self.stray_close(at, None);
            return;
        };
        if self.balance.surplus > 0 {
            self.closed = Some(Closed {
                frame,
                brace: (at, at + 1),
            });
        } else {
            self.leave(frame);
        }
    }

    fn stray_close(&mut self, at: u32, of: Option<(u32, u32)>) {
        let span = self.span(at, at + 1);
        let of = of.map(|(start, end)| self.span(start, end));
        self.out.push_with(&codes::STRAY_CLOSE, || {
            let d = Diagnostic::new(&codes::STRAY_CLOSE, span, "`}` closes nothing")
                .help("remove it, or add the `{` that it belongs to");
            match of {
                Some(of) => d
                    .label("what follows belongs to the block that this ends")
                    .also(of, "the block begins here"),
                None => d.label("no block is open here"),
            }
        });
    }

    /// The block that the last brace closed is really closed.
    pub(super) fn commit_closed(&mut self) {
        if let Some(closed) = self.closed.take() {
            self.leave(closed.frame);
        }
    }

    /// When braces are too many and a word belongs into the block just closed, that brace was.
    pub(super) fn reopen(&mut self, word: &str, column: u32) {
        let Some(closed) = self.closed.take() else {
            return;
        };
        let here = self.context();
        let fits = |c: Option<Context>| c.is_some_and(|c| self.language.key(word, c).is_some());
        let inside = closed.frame.statement.map(Context::Inside);
        // Where it fits on both sides, indentation tells.
        let indented = column > closed.frame.column && closed.frame.child_column == Some(column);
        if self.balance.surplus > 0 && fits(inside) && (!fits(here) || indented) {
            self.balance.surplus -= 1;
            self.stray_close(closed.brace.0, Some(closed.frame.head));
            self.push(closed.frame);
            self.blame();
        } else {
            self.leave(closed.frame);
        }
    }

    fn context(&self) -> Option<Context> {
        match self.stack.last() {
            None => Some(Context::Top),
            Some(frame) => frame.statement.map(Context::Inside),
        }
    }

    /// Where a word may stand when the innermost `levels` blocks are closed first.
    fn fits_outside(&self, word: &str, levels: usize) -> bool {
        let context = match self.stack.len().checked_sub(levels) {
            Some(0) => Some(Context::Top),
            Some(n) => self
                .stack
                .get(n - 1)
                .and_then(|f| f.statement)
                .map(Context::Inside),
            None => None,
        };
        context.is_some_and(|c| self.language.key(word, c).is_some())
    }

    /// When braces are missing: does a word tell that blocks ended before it?
    pub(super) fn imply(&mut self, word: &str, at: u32, column: u32) {
        let Some(frame) = self.stack.last() else {
            return;
        };
        if self.balance.missing == 0 {
            return;
        }
        // Nothing is said inside of a block that is not known; only indentation tells its end.
        let fits = frame.statement.is_none() || self.fits_outside(word, 0);
        let most = self.stack.len().min(self.balance.missing as usize);
        let levels = if fits {
            // It may stand here; it was not meant to when it stands further out than the lines
            // of the block, at or left of the block's own keyword.
            (1..=most).rev().find(|levels| {
                let outer = self.stack.len() - levels;
                self.stack.get(outer).is_some_and(|f| {
                    column <= f.column && f.child_column.is_some_and(|c| c > f.column)
                }) && self.fits_outside(word, *levels)
            })
        } else {
            (1..=most).find(|levels| self.fits_outside(word, *levels))
        };
        if let Some(levels) = levels {
            let end = at + crate::value::length(word);
            self.close_implied(levels, (at, end));
        }
    }

    /// When braces are missing: does the column of a brace tell that it closes an outer block?
    fn imply_by_column(&mut self, at: u32, column: Option<u32>) {
        let Some(column) = column.filter(|_| self.balance.missing > 0) else {
            return;
        };
        let is_at = |f: &Frame| f.brace_column.unwrap_or(f.column) == column;
        let found = self.stack.iter().rev().position(is_at);
        if let Some(levels) = found
            && levels > 0
            && levels <= self.balance.missing as usize
        {
            self.close_implied(levels, (at, at + 1));
        }
    }

    /// Closes the innermost blocks without a brace.
    fn close_implied(&mut self, levels: usize, at: (u32, u32)) {
        let here = self.span(at.0, at.1);
        let outermost = self.stack.len().saturating_sub(levels);
        for frame in self.stack.iter().skip(outermost).rev() {
            let head = self.span(frame.head.0, frame.head.1);
            let name = self.text.get(frame.head.0 as usize..frame.head.1 as usize);
            self.out.push_with(&codes::MISSING_CLOSE, || {
                let name = name.unwrap_or_default();
                Diagnostic::new(
                    &codes::MISSING_CLOSE,
                    here,
                    format!("the block of `{name}` is not closed"),
                )
                .label("a `}` is missing before this")
                .also(head, "the block begins here")
                .help(format!(
                    "add a `}}` on a line of its own at the end of `{name}`"
                ))
            });
        }
        for _ in 0..levels {
            self.balance.missing = self.balance.missing.saturating_sub(1);
            if let Some(frame) = self.stack.pop() {
                self.leave(frame);
            }
        }
    }

    /// The text ends.
    pub(super) fn end(&mut self) {
        self.settle(false, None);
        self.commit_closed();
        self.open = self.stack.iter().map(|f| f.statement).collect();
        let open = u32::try_from(self.stack.len()).unwrap_or(u32::MAX);
        self.found.missing = open.saturating_add(self.too_deep);
        if self.too_deep > 0 {
            // Said already, and not guessed at again.
            self.found.missing = open;
        }
        if let Some(frame) = self.stack.last() {
            let len = crate::value::length(self.text);
            let trimmed = crate::value::length(self.text.trim_end());
            let here = self.span(trimmed.saturating_sub(1).min(len), trimmed);
            let head = self.span(frame.head.0, frame.head.1);
            let name = self.slice(frame.head.0, frame.head.1);
            self.out.push_with(&codes::MISSING_CLOSE, || {
                let message = if open == 1 {
                    format!("the block of `{name}` is not closed")
                } else {
                    format!("{open} blocks are not closed, the innermost is that of `{name}`")
                };
                Diagnostic::new(&codes::MISSING_CLOSE, here, message)
                    .label("the text ends here")
                    .also(head, "the block begins here")
                    .help("add a `}` on a line of its own")
            });
        }
        while let Some(frame) = self.stack.pop() {
            self.leave(Frame {
                broken: true,
                ..frame
            });
        }
    }

    /// A block ends: its entries go to the model, and what is missing in it is said.
    fn leave(&mut self, mut frame: Frame) {
        if let Some(statement) = frame.statement.and_then(|s| self.language.statement(s)) {
            if !frame.broken {
                for (i, parameter) in statement.parameters.iter().enumerate() {
                    let needed = matches!(
                        parameter.multiplicity,
                        Multiplicity::Required | Multiplicity::ListNotEmpty
                    );
                    if needed && frame.last.get(i) == Some(&NONE) {
                        frame.broken = true;
                        self.missing_parameter(&frame, statement, parameter);
                    }
                }
            }
            let first = self.model.entries.len();
            if let Some(data) = self.model.objects.get_mut(frame.object as usize) {
                data.first_entry = u32::try_from(first).unwrap_or(NONE);
                data.entries = u32::try_from(frame.entries.len()).unwrap_or(0);
                if frame.broken {
                    data.flags |= BROKEN;
                }
            }
            self.model.entries.append(&mut frame.entries);
        }
        frame.entries.clear();
        frame.last.clear();
        if self.spare.len() < DEPTH && frame.entries.capacity() < 1024 {
            let (entries, last) = (frame.entries, frame.last);
            self.spare.push(Frame {
                entries,
                last,
                ..Frame::default()
            });
        }
    }

    /// A statement that needs a block is followed by something else.
    pub(super) fn missing_block(
        &mut self,
        pending: &Pending,
        key: &Key,
        statement: &'static Statement,
        word: Option<(&str, u32)>,
    ) {
        if matches!(statement.body, Body::Kept) {
            self.object(pending, statement);
            return;
        }
        let span = self.span(pending.start, pending.end);
        let reference = self.words(pending).peek().and_then(|(name, _)| {
            let context = self.context()?;
            let wanted = format!("{}Ref", key.name);
            let reference = self.language.key(&wanted, context)?;
            let info = self.language.key_info(reference)?;
            matches!(info.form, Form::Reference(_)).then(|| (info.name, name))
        });
        let inside = self.language.id(statement).map(Context::Inside);
        let belongs = word.is_some_and(|(w, _)| {
            w == CLOSE || inside.is_some_and(|c| self.language.key(w, c).is_some())
        });
        // What may stand on both sides is taken as inside when a closing brace is too many.
        let both = word.is_some_and(|(w, _)| w == CLOSE || self.fits_outside(w, 0));
        let guess = self.balance.surplus > 0
            && word.is_some_and(|(w, column)| match w {
                CLOSE => column == pending.column,
                _ => column >= pending.column,
            });
        let follows = belongs && (!both || guess);
        if follows && both {
            self.balance.surplus -= 1;
        }
        let named = !matches!(statement.naming, Naming::None);
        self.out.push_with(&codes::MISSING_BLOCK, || {
            let d = Diagnostic::new(
                &codes::MISSING_BLOCK,
                span,
                format!("`{}` has no block", key.name),
            )
            .label("`{` is expected on the next line");
            match reference {
                Some((keyword, name)) if !follows => d.help(format!(
                    "to refer to a statement that stands elsewhere, write `{keyword} {name}`"
                )),
                _ if named && !follows => {
                    d.help("write its parameters between `{` and `}`, each on a line of its own")
                }
                _ => d.help("add a `{` on a line of its own behind it"),
            }
        });
        if follows {
            // What follows stands in the block whose brace was forgotten.
            self.begin(pending, statement);
            self.blame();
        } else if !pending.faulty {
            let object = self.object(pending, statement);
            if let Some(data) = self.model.objects.get_mut(object as usize) {
                data.flags |= BROKEN;
            }
            if !pending.top {
                let place = (pending.start, pending.start, pending.end);
                self.add(
                    pending.key,
                    crate::model::EntryKind::Inline,
                    place,
                    object,
                    0,
                );
            }
            self.blame();
        }
    }
}
