//! A part: some of the rules, as tables over the intervals of both addresses.
//!
//! One address chooses a row, the other a cell in it; a cell stands for the list of the part's
//! rules that fit both addresses, and a table over the service classes says which of the list is
//! first. All steps are single loads, no step depends on how many rules there are.

use alloc::vec;
use alloc::vec::Vec;
use core::iter::Peekable;

use super::intern::Interner;
use super::key::Service;
use super::numbers::{Numbers, descend, leaf, node, ones_if_leaf};
use super::services::Services;
use super::table::{BATCH, Lane};
use super::{NONE, at};

/// Entries of a node, as a power of two.
pub(super) const NODE: u32 = 4;
/// Service classes in a page, as a power of two: one cache line.
pub(super) const PAGE: u32 = 6;
/// A row has at most this many entries above its nodes, unless it needs more levels than three.
const TOP: u32 = 48;

/// A rule as the builder of a part sees it. Ranges are of intervals, both ends included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    /// Position in the whole set.
    pub(super) rule: u32,
    pub(super) rows: (u32, u32),
    pub(super) columns: (u32, u32),
    pub(super) service: u32,
}

/// The tables of one part.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    /// Rows are chosen by the source address, not by the destination.
    pub(super) by_source: bool,
    /// By interval of the row's address: where the row begins in `top`.
    pub(super) rows: Numbers,
    /// By interval of the column's address: the column.
    pub(super) columns: Numbers,
    /// How many levels of nodes are below `top`.
    pub(super) depth: u32,
    /// The upper ends of the rows: leaves are records.
    pub(super) top: Numbers,
    /// The rest of the rows, equal nodes kept once.
    pub(super) nodes: Numbers,
    /// For each record where its shape begins in `shapes`, and its first place in `rules`.
    pub(super) records: Vec<[u32; 2]>,
    /// For each shape and group of service classes a page of `positions`.
    pub(super) shapes: Numbers,
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

impl Default for Positions {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl Part {
    /// The first rule of the part that fits, or [`NONE`].
    #[inline]
    pub(super) fn get(&self, source: u32, destination: u32, class: u32) -> u32 {
        let (row, column) = if self.by_source {
            (source, destination)
        } else {
            (destination, source)
        };
        self.rule(self.record(row, column), class)
    }

    /// The record of the cell where an interval of each address meet.
    #[inline]
    pub(super) fn record(&self, row: u32, column: u32) -> u32 {
        let column = self.columns.get(column);
        let mut shift = self.depth * NODE;
        let mut entry = self.top.get(self.rows.get(row) + (column >> shift));
        for _ in 0..self.depth {
            shift -= NODE;
            let digit = (column >> shift) & ((1 << NODE) - 1);
            entry = descend(&self.nodes, entry, NODE, digit);
        }
        entry >> 1
    }

    /// Lowers `best` to the first rule that fits, for the first `n` keys of a batch.
    pub(super) fn get_batch(
        &self,
        source: &Lane,
        destination: &Lane,
        class: &Lane,
        best: &mut Lane,
        n: usize,
    ) {
        let (rows, columns) = if self.by_source {
            (source, destination)
        } else {
            (destination, source)
        };
        let mut records = [0u32; BATCH];
        let places = rows.0.iter().zip(&columns.0).zip(&mut records);
        for ((row, column), record) in places.take(n) {
            *record = self.record(*row, *column);
        }
        let cells = records.iter().zip(&class.0).zip(&mut best.0);
        for ((record, class), best) in cells.take(n) {
            *best = (*best).min(self.rule(*record, *class));
        }
    }

    /// The first rule of a record for a service class.
    #[inline]
    pub(super) fn rule(&self, record: u32, class: u32) -> u32 {
        let [shape, base] = self
            .records
            .get(record as usize)
            .copied()
            .unwrap_or_default();
        let page = self.shapes.get(shape + (class >> PAGE));
        let place = (page << PAGE | class & ((1 << PAGE) - 1)) as usize;
        let nth = match &self.positions {
            Positions::Bytes(b) => b.get(place).map_or(0, |n| u32::from(*n)),
            Positions::Words(w) => w.get(place).map_or(0, |n| u32::from(*n)),
        };
        at(&self.rules, base + nth)
    }

    pub(super) fn bytes(&self) -> usize {
        let positions = match &self.positions {
            Positions::Bytes(b) => b.len(),
            Positions::Words(w) => w.len() * 2,
        };
        [
            &self.rows,
            &self.columns,
            &self.top,
            &self.nodes,
            &self.shapes,
        ]
        .iter()
        .map(|n| n.bytes())
        .sum::<usize>()
            + self.records.len() * 8
            + positions
            + self.rules.len() * 4
    }
}

/// How much a part may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Steps of work.
    pub(super) work: usize,
    /// Bytes of the finished part.
    pub(super) bytes: usize,
}

/// What all parts of a set share while they are built.
pub(super) struct Builder<'a> {
    pub(super) classes: &'a Services,
    pub(super) services: &'a [Service],
    /// For each service the set of services that it covers, itself too; as words.
    covered: Vec<u32>,
    words: usize,
    /// For each service its service classes.
    inside: Vec<Vec<u32>>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(classes: &'a Services, services: &'a [Service]) -> Self {
        let words = services.len().div_ceil(32);
        let mut covered = Vec::with_capacity(words * services.len());
        for outer in services {
            covered.extend(services.chunks(32).map(|chunk| {
                chunk.iter().enumerate().fold(0u32, |word, (bit, inner)| {
                    word | u32::from(outer.covers(inner)) << bit
                })
            }));
        }
        let inside = (0..services.len() as u32)
            .map(|s| {
                (0u32..)
                    .zip(classes.inside(s))
                    .filter_map(|(c, i)| i.then_some(c))
                    .collect()
            })
            .collect();
        Self {
            classes,
            services,
            covered,
            words,
            inside,
        }
    }

    /// Tables for these rules, which are in order; `None` where they would exceed the budget.
    /// `rows` and `columns` say how many intervals there are.
    pub(super) fn part(
        &self,
        placed: &[Placed],
        (rows, columns): (u32, u32),
        by_source: bool,
        budget: &mut Budget,
    ) -> Option<Part> {
        let mut part = Part {
            by_source,
            ..Part::default()
        };
        let (columns, width) = number_columns(placed, columns);
        let (mut starts, lists) = number_rows(placed, rows, budget)?;
        while part.depth < 3 && width >> (part.depth * NODE) > TOP {
            part.depth += 1;
        }
        let per_row = width.div_ceil(1 << (part.depth * NODE));
        for row in &mut starts {
            *row *= per_row;
        }
        let mut sweep = Sweep {
            dead: vec![0; self.words],
            ..Sweep::default()
        };
        let (mut nodes, mut cells) = (Interner::default(), Interner::default());
        let mut top: Vec<u32> = Vec::new();
        for row in 0..lists.len() as u32 {
            sweep.row(self, placed, lists.get(row), &columns, &mut cells, budget)?;
            let mut runs = sweep.runs.iter().copied().peekable();
            let mut run = 0;
            for place in 0..per_row {
                let shift = part.depth * NODE;
                let entry = tree(&mut runs, &mut run, place << shift, shift, &mut nodes);
                top.push(entry);
            }
            spend(&mut budget.work, per_row as usize)?;
            if (top.len() + nodes.total() + cells.total()) * 4 > budget.bytes {
                return None;
            }
        }
        part.rows = Numbers::new(starts);
        part.columns = Numbers::new(columns);
        part.top = Numbers::new(top);
        part.nodes = Numbers::new(nodes.into_data());
        self.records(&mut part, placed, &cells, budget)?;
        let bytes = part.bytes();
        spend(&mut budget.bytes, bytes)?;
        Some(part)
    }

    /// Makes the records, shapes and lists of rules of all cells.
    fn records(
        &self,
        part: &mut Part,
        placed: &[Placed],
        cells: &Interner,
        budget: &mut Budget,
    ) -> Option<()> {
        let mut shapes = Interner::default();
        let mut longest = 0;
        let mut list: Vec<[u32; 2]> = Vec::new();
        let mut services: Vec<u32> = Vec::new();
        let per_shape = self.classes.count.div_ceil(1 << PAGE);
        for cell in 0..cells.len() as u32 {
            list.clear();
            list.extend(cells.get(cell).iter().filter_map(|p| {
                let p = placed.get(*p as usize)?;
                Some([p.service, p.rule])
            }));
            self.settle(&mut list);
            longest = longest.max(list.len());
            services.clear();
            services.extend(list.iter().map(|[s, _]| *s));
            let shape = shapes.intern(&services) * per_shape;
            part.records.push([shape, part.rules.len() as u32]);
            part.rules.push(NONE);
            part.rules.extend(list.iter().map(|[_, r]| *r));
        }
        let mut pages = Interner::default();
        let mut numbers = Vec::with_capacity(shapes.len() * per_shape as usize);
        let mut row = vec![0u32; (per_shape << PAGE) as usize];
        for shape in 0..shapes.len() as u32 {
            row.fill(0);
            for (nth, service) in shapes.get(shape).iter().enumerate().rev() {
                let inside = self.inside.get(*service as usize)?;
                spend(&mut budget.work, inside.len() / 8)?;
                for class in inside {
                    if let Some(n) = row.get_mut(*class as usize) {
                        *n = nth as u32 + 1;
                    }
                }
            }
            spend(&mut budget.work, row.len() / 8)?;
            numbers.extend(row.chunks(1 << PAGE).map(|page| pages.intern(page)));
            if pages.total() + numbers.len() * 4 > budget.bytes {
                return None;
            }
        }
        part.shapes = Numbers::new(numbers);
        let positions = pages.into_data().into_iter().chain([0; 3]);
        part.positions = if longest <= usize::from(u8::MAX) {
            Positions::Bytes(positions.map(|n| n as u8).collect())
        } else if longest <= usize::from(u16::MAX) {
            Positions::Words(positions.map(|n| n as u16).collect())
        } else {
            return None;
        };
        Some(())
    }

    /// Brings rules that cannot both match into the order of their services, so that more lists
    /// have the same shape.
    fn settle(&self, list: &mut [[u32; 2]]) {
        let apart = |x: u32, y: u32| {
            let (x, y) = (self.services.get(x as usize), self.services.get(y as usize));
            x.zip(y).is_some_and(|(x, y)| !x.meets(y))
        };
        for end in 1..list.len().min(64) {
            for i in (1..=end).rev() {
                match list.get(i - 1..=i) {
                    Some(&[[x, _], [y, _]]) if x > y && apart(x, y) => list.swap(i - 1, i),
                    _ => break,
                }
            }
        }
    }
}

/// Numbers the columns: runs of intervals that no rule tells apart. Also says how many there are.
fn number_columns(placed: &[Placed], intervals: u32) -> (Vec<u32>, u32) {
    let mut begins = vec![false; intervals as usize + 1];
    for p in placed {
        for edge in [p.columns.0, p.columns.1 + 1] {
            if let Some(b) = begins.get_mut(edge as usize) {
                *b = true;
            }
        }
    }
    begins.pop();
    let mut column = 0;
    let mut columns = Vec::with_capacity(intervals as usize);
    for (i, begins) in begins.into_iter().enumerate() {
        column += u32::from(begins && i > 0);
        columns.push(column);
    }
    (columns, column + 1)
}

/// Numbers the rows, giving intervals with the same list of rules the same row, and says which
/// list each row has.
fn number_rows(
    placed: &[Placed],
    intervals: u32,
    budget: &mut Budget,
) -> Option<(Vec<u32>, Interner)> {
    let mut lists = Interner::default();
    let mut events: Vec<(u32, u32)> = Vec::with_capacity(placed.len() * 2);
    for (i, p) in (0u32..).zip(placed) {
        events.push((p.rows.0, i));
        events.push((p.rows.1 + 1, i));
    }
    events.sort_unstable();
    let mut events = events.into_iter().peekable();
    let mut active: Vec<u32> = Vec::new();
    let mut row = lists.intern(&active);
    let mut rows = Vec::with_capacity(intervals as usize);
    for interval in 0..intervals {
        let mut changed = false;
        while let Some((_, i)) = events.next_if(|(at, _)| *at == interval) {
            toggle(&mut active, i);
            changed = true;
        }
        if changed {
            spend(&mut budget.work, active.len() + 1)?;
            row = lists.intern(&active);
        }
        rows.push(row);
    }
    Some((rows, lists))
}

/// One row of a part, swept from the first column to the last.
#[derive(Default)]
struct Sweep {
    events: Vec<(u32, u32)>,
    active: Vec<u32>,
    first: Vec<u32>,
    dead: Vec<u32>,
    /// Where each run of equal cells begins, and its list.
    runs: Vec<(u32, u32)>,
}

impl Sweep {
    fn row(
        &mut self,
        builder: &Builder<'_>,
        placed: &[Placed],
        list: &[u32],
        columns: &[u32],
        cells: &mut Interner,
        budget: &mut Budget,
    ) -> Option<()> {
        self.events.clear();
        self.active.clear();
        self.runs.clear();
        for &i in list {
            let p = placed.get(i as usize)?;
            self.events.push((at(columns, p.columns.0), i));
            self.events.push((at(columns, p.columns.1) + 1, i));
        }
        self.events.sort_unstable();
        let mut events = self.events.iter().copied().peekable();
        if events.peek().is_none_or(|(column, _)| *column > 0) {
            self.runs.push((0, cells.intern(&[])));
        }
        while let Some((column, i)) = events.next() {
            toggle(&mut self.active, i);
            while let Some((_, i)) = events.next_if(|(at, _)| *at == column) {
                toggle(&mut self.active, i);
            }
            // Only rules that can be first somewhere stay in the cell's list.
            self.first.clear();
            self.dead.fill(0);
            for &i in &self.active {
                let service = placed.get(i as usize)?.service;
                if at(&self.dead, service / 32) >> (service % 32) & 1 != 0 {
                    continue;
                }
                self.first.push(i);
                let from = service as usize * builder.words;
                let covered = builder.covered.get(from..from + builder.words)?;
                self.dead.iter_mut().zip(covered).for_each(|(d, c)| *d |= c);
            }
            spend(
                &mut budget.work,
                self.active.len() + self.first.len() * builder.words + 1,
            )?;
            self.runs.push((column, cells.intern(&self.first)));
        }
        Some(())
    }
}

/// The entry for the `2^shift` columns from `from` on, made of the runs in which equal cells come.
fn tree(
    runs: &mut Peekable<impl Iterator<Item = (u32, u32)>>,
    run: &mut u32,
    from: u32,
    shift: u32,
    nodes: &mut Interner,
) -> u32 {
    while let Some((_, cell)) = runs.next_if(|(column, _)| *column <= from) {
        *run = cell;
    }
    if runs
        .peek()
        .is_none_or(|(column, _)| *column >= from + (1 << shift))
    {
        return leaf(*run);
    }
    let below = shift.saturating_sub(NODE);
    let mut entries = [0u32; 1 << NODE];
    for (digit, entry) in (0u32..).zip(&mut entries) {
        *entry = tree(runs, run, from + (digit << below), below, nodes);
    }
    if entries
        .iter()
        .all(|e| *e == entries[0] && ones_if_leaf(*e) != 0)
    {
        return entries[0];
    }
    node(nodes.intern(&entries))
}

/// Takes `i` out of the sorted list, or puts it in.
fn toggle(active: &mut Vec<u32>, i: u32) {
    match active.binary_search(&i) {
        Ok(place) => {
            active.remove(place);
        }
        Err(place) => active.insert(place, i),
    }
}

fn spend(budget: &mut usize, amount: usize) -> Option<()> {
    *budget = budget.checked_sub(amount)?;
    Some(())
}
