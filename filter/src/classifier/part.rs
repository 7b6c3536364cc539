//! A part: some of the rules, as tables over the intervals of both addresses.
//!
//! One address chooses a row, the other a cell in it; a cell stands for the list of the part's
//! rules that fit both addresses. Two forms:
//!
//! * a **table** has cells as a tree of nodes, and for each cell a row over the service classes that
//!   says which of the cell's rules is first: single loads, no step depends on data;
//! * **lists** are an order of magnitude smaller: a row is a sorted list of runs of equal cells, a
//!   cell a list of rules that is walked until one has the service class.
//!
//! What fits the caches is fast: small parts become tables, large ones lists.

use alloc::vec::Vec;
use core::hint::select_unpredictable;
use core::mem::replace;

use super::key::Key;
use super::numbers::{Number, Numbers, descend, number};
use super::services::Classes;
use super::table::{BATCH, Lane};
use super::{NONE, at};

/// Entries of a node, as a power of two.
pub(super) const NODE: u32 = 4;
/// Service classes in a page, as a power of two: one cache line.
pub(super) const PAGE: u32 = 6;

/// The tables of one part.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Rows are chosen by the source address, not by the destination.
    pub(super) by_source: bool,
    /// By interval of the column's address: the column.
    pub(super) columns: Numbers,
    pub(super) form: Form,
}

#[derive(Clone, Debug)]
pub(super) enum Form {
    Short(Table<u16>),
    Long(Table<u32>),
    Lists(Lists),
}

#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    /// By interval of the row's address: where the row begins in `top`.
    pub(super) rows: Numbers,
    /// How many levels of nodes are below `top`, at most three.
    pub(super) depth: u32,
    /// The upper ends of the rows: leaves are records.
    pub(super) top: Vec<T>,
    /// The rest of the rows, equal nodes kept once.
    pub(super) nodes: Vec<T>,
    /// For each record where its shape begins in `shapes`, and its first place in `rules`.
    pub(super) records: Vec<[u32; 2]>,
    /// For each shape and group of service classes a page of `positions`; empty where shapes are so
    /// few that they are in `positions` themselves.
    pub(super) shapes: Vec<T>,
    /// Which of a record's rules matches first, counted from 1, or 0.
    pub(super) positions: Positions,
    /// For each record [`NONE`] and then its rules.
    pub(super) rules: Vec<u32>,
}

/// Positions in lists of rules, in as few bytes as the longest list permits. Three more stand at
/// the end.
#[derive(Clone, Debug)]
pub(super) enum Positions {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
}

#[derive(Clone, Debug)]
pub(super) struct Lists {
    /// By interval of the row's address: first run and number of runs.
    pub(super) rows: Vec<[u32; 2]>,
    /// The column with which a run begins; the first of a row is 0.
    pub(super) starts: Numbers,
    /// Where the list of a run's cells begins in `entries`.
    pub(super) lists: Numbers,
    /// Service and rule. Each list ends with a service that fits everything and [`NONE`].
    pub(super) entries: Vec<[u32; 2]>,
}

impl Default for Positions {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl Part {
    /// The first rule of the part that fits, or [`NONE`].
    #[inline]
    pub(super) fn get<A>(
        &self,
        (source, destination): (u32, u32),
        class: u32,
        classes: &Classes,
        key: &Key<A>,
    ) -> u32 {
        let (row, column) = if self.by_source {
            (source, destination)
        } else {
            (destination, source)
        };
        let column = self.columns.get(column);
        match &self.form {
            Form::Short(t) => t.rule(t.record(row, column), class),
            Form::Long(_) | Form::Lists(_) => self.other((row, column), class, classes, key),
        }
    }

    /// What is rare stays out of the way of what is common.
    #[inline(never)]
    fn other<A>(
        &self,
        (row, column): (u32, u32),
        class: u32,
        classes: &Classes,
        key: &Key<A>,
    ) -> u32 {
        match &self.form {
            Form::Short(t) => t.rule(t.record(row, column), class),
            Form::Long(t) => t.rule(t.record(row, column), class),
            Form::Lists(l) => l.walk(l.list(row, column), |service| {
                classes.fits(class, service, key)
            }),
        }
    }

    /// Lowers `best` to the first rule that fits, for each key of a batch.
    pub(super) fn get_batch<A>(
        &self,
        (source, destination): (&Lane, &Lane),
        class: &Lane,
        classes: &Classes,
        keys: &[Key<A>],
        best: &mut Lane,
    ) {
        let (rows, columns) = if self.by_source {
            (source, destination)
        } else {
            (destination, source)
        };
        match &self.form {
            Form::Short(t) => t.get_batch((rows, columns), &self.columns, class, keys.len(), best),
            Form::Long(t) => t.get_batch((rows, columns), &self.columns, class, keys.len(), best),
            Form::Lists(l) => {
                let mut cells = [0u32; BATCH];
                let places = rows.0.iter().zip(&columns.0).zip(&mut cells).zip(keys);
                for (((row, column), cell), _) in places {
                    *cell = l.list(*row, self.columns.get(*column));
                }
                let cells = cells.iter().zip(&class.0).zip(&mut best.0).zip(keys);
                for (((cell, class), best), key) in cells {
                    *best =
                        (*best).min(l.walk(*cell, |service| classes.fits(*class, service, key)));
                }
            }
        }
    }

    /// The numbers of rows, in the forms that have such a list.
    pub(super) const fn rows(&mut self) -> Option<&mut Numbers> {
        match &mut self.form {
            Form::Short(t) => Some(&mut t.rows),
            Form::Long(t) => Some(&mut t.rows),
            Form::Lists(_) => None,
        }
    }

    /// The numbers of the source's intervals, or of the destination's: each now has itself.
    pub(super) fn take_numbers(&mut self, source: bool) -> Option<Numbers> {
        let numbers = if self.by_source == source {
            self.rows()?
        } else {
            &mut self.columns
        };
        Some(replace(numbers, Numbers::Same))
    }

    pub(super) fn bytes(&self) -> usize {
        self.columns.bytes()
            + match &self.form {
                Form::Short(t) => t.bytes(),
                Form::Long(t) => t.bytes(),
                Form::Lists(l) => l.bytes(),
            }
    }
}

impl<T: Number> Table<T> {
    /// The record of the cell where an interval and a column meet.
    #[inline(always)]
    fn record(&self, row: u32, column: u32) -> u32 {
        let digit = |level: u32| (column >> (level * NODE)) & ((1 << NODE) - 1);
        let row = self.rows.get(row);
        let top = |depth: u32| number(&self.top, row + (column >> (depth * NODE)));
        let down = |entry: u32, level: u32| descend(&self.nodes, entry, NODE, digit(level));
        let entry = match self.depth {
            0 => top(0),
            1 => down(top(1), 0),
            2 => down(down(top(2), 1), 0),
            _ => down(down(down(top(3), 2), 1), 0),
        };
        entry >> 1
    }

    /// The first rule of a record for a service class.
    #[inline(always)]
    fn rule(&self, record: u32, class: u32) -> u32 {
        let [shape, base] = self
            .records
            .get(record as usize)
            .copied()
            .unwrap_or_default();
        let mut place = shape + class;
        if !self.shapes.is_empty() {
            let page = number(&self.shapes, shape + (class >> PAGE));
            place = page << PAGE | class & ((1 << PAGE) - 1);
        }
        let place = place as usize;
        let nth = match &self.positions {
            Positions::Bytes(b) => b.get(place).map_or(0, |n| u32::from(*n)),
            Positions::Words(w) => w.get(place).map_or(0, |n| u32::from(*n)),
        };
        at(&self.rules, base + nth)
    }

    fn get_batch(
        &self,
        (rows, places): (&Lane, &Lane),
        columns: &Numbers,
        class: &Lane,
        n: usize,
        best: &mut Lane,
    ) {
        let mut cells = [0u32; BATCH];
        let places = rows.0.iter().zip(&places.0).zip(&mut cells);
        for ((row, place), cell) in places.take(n) {
            *cell = self.record(*row, columns.get(*place));
        }
        let cells = cells.iter().zip(&class.0).zip(&mut best.0);
        for ((cell, class), best) in cells.take(n) {
            *best = (*best).min(self.rule(*cell, *class));
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let positions = match &self.positions {
            Positions::Bytes(b) => b.len(),
            Positions::Words(w) => w.len() * 2,
        };
        (self.top.len() + self.nodes.len() + self.shapes.len()) * size_of::<T>()
            + self.rows.bytes()
            + self.records.len() * 8
            + positions
            + self.rules.len() * 4
    }
}

impl Lists {
    /// The list of the cell where an interval and a column meet.
    #[inline]
    fn list(&self, row: u32, column: u32) -> u32 {
        let [mut base, mut len] = self.rows.get(row as usize).copied().unwrap_or_default();
        while len > 1 {
            let half = len / 2;
            let within = self.starts.get_or(base + half, half) <= column;
            base = select_unpredictable(within, base + half, base);
            len -= half;
        }
        self.lists.get(base)
    }

    /// The first rule of a list whose service fits.
    #[inline]
    pub(super) fn walk(&self, list: u32, fits: impl Fn(u32) -> bool) -> u32 {
        let list = self.entries.get(list as usize..).unwrap_or_default();
        list.iter()
            .find(|[service, _]| fits(*service))
            .map_or(NONE, |[_, rule]| *rule)
    }

    pub(super) fn bytes(&self) -> usize {
        (self.rows.len() + self.entries.len()) * 8 + self.starts.bytes() + self.lists.bytes()
    }
}
