//! From rules to the tables of a part.

use alloc::vec;
use alloc::vec::Vec;
use core::iter::Peekable;

use super::intern::Interner;
use super::key::Service;
use super::numbers::{Number, Numbers, leaf, node, ones_if_leaf};
use super::part::{Form, Lists, NODE, PAGE, Part, Positions, Table};
use super::services::Classes;
use super::{NONE, at};

/// A row of a table has at most this many entries above its nodes, unless that took more than
/// three levels.
const TOP: u32 = 48;

/// What it takes to number a list, in steps of work, besides its length.
const INTERN: usize = 16;

/// A part with more runs than this is not tried as a table.
const TABLE_RUNS: usize = 60_000;

/// A part whose table would be larger is made of lists.
const TABLE_BYTES: usize = 3 << 20;

/// Up to this many positions are kept without sharing equal pages: one load less.
const WHOLE: usize = 64 << 10;

/// With more services than this, rules that cannot be first are only looked for among the first
/// [`NEAR`] of a cell.
const MATRIX: usize = 1024;
const NEAR: usize = 16;

/// A rule as the builder sees it. Ranges are of intervals, both ends included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    /// Position in the whole set.
    pub(super) rule: u32,
    pub(super) rows: (u32, u32),
    pub(super) columns: (u32, u32),
    pub(super) service: u32,
}

/// How much the parts of a set may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Steps of work.
    pub(super) work: usize,
    /// Bytes of the finished parts.
    pub(super) bytes: usize,
}

pub(super) fn spend(budget: &mut usize, amount: usize) -> Option<()> {
    *budget = budget.checked_sub(amount)?;
    Some(())
}

/// Whether so much was spent on so many of all rows that the rest would take far more than there is: then
/// what is left is better spent on shorter slices. Rows differ, so that a part is given up only if it
/// were to take twice its budget.
const fn hopeless(spent: usize, budget: usize, (done, rows): (usize, usize)) -> bool {
    spent > budget / 16 && spent / 2 > budget.saturating_mul(done) / rows
}

/// What all parts of a set share while they are built.
pub(super) struct Builder<'a> {
    pub(super) classes: &'a Classes,
    pub(super) services: &'a [Service],
    /// For each service the set of services that it covers, itself too, as words; nothing with
    /// more than [`MATRIX`] services.
    covered: Vec<u32>,
    words: usize,
    /// For each service its service classes.
    inside: Vec<Vec<u32>>,
}

impl<'a> Builder<'a> {
    /// `left` is what there is to spend on work.
    pub(super) fn new(
        classes: &'a Classes,
        services: &'a [Service],
        left: &mut usize,
    ) -> Option<Self> {
        let (mut covered, mut words) = (Vec::new(), 0);
        if services.len() <= MATRIX {
            spend(left, services.len() * services.len())?;
            words = services.len().div_ceil(32);
            covered.reserve_exact(words * services.len());
            for outer in services {
                covered.extend(services.chunks(32).map(|chunk| {
                    chunk.iter().enumerate().fold(0u32, |word, (bit, inner)| {
                        word | u32::from(outer.covers(inner)) << bit
                    })
                }));
            }
        }
        let inside = match classes {
            Classes::Table(t) => {
                spend(left, services.len() * t.count as usize / 2)?;
                (0..services.len() as u32).map(|s| t.inside(s)).collect()
            }
            Classes::Direct(_) => Vec::new(),
        };
        Some(Self {
            classes,
            services,
            covered,
            words,
            inside,
        })
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
        let (columns, width) = number_columns(placed, columns);
        let (rows, lists) = number_rows(placed, rows, budget)?;
        let mut plan = Plan {
            rows,
            width,
            ..Plan::default()
        };
        let mut sweep = Sweep {
            dead: vec![0; self.words],
            ..Sweep::default()
        };
        let (work, rows) = (budget.work, lists.len());
        for row in 0..rows as u32 {
            plan.begins.push(plan.runs.len() as u32);
            sweep.row(self, placed, lists.get(row), &columns, &mut plan, budget)?;
            let bytes = plan.runs.len() * 8 + plan.cells.total() * 12;
            let progress = (row as usize + 1, rows);
            if bytes > budget.bytes || hopeless(work - budget.work, work, progress) {
                return None;
            }
        }
        plan.begins.push(plan.runs.len() as u32);
        let table = if plan.runs.len() <= TABLE_RUNS {
            self.table(&plan, placed, budget)
        } else {
            None
        };
        let form = match table {
            Some(form) => form,
            None => Form::Lists(self.lists(&plan, placed)?),
        };
        let part = Part {
            by_source,
            columns: Numbers::new(columns),
            form,
        };
        spend(&mut budget.bytes, part.bytes())?;
        Some(part)
    }

    fn lists(&self, plan: &Plan, placed: &[Placed]) -> Option<Lists> {
        let mut entries: Vec<[u32; 2]> = Vec::with_capacity(plan.cells.total() + plan.cells.len());
        let mut begins = Vec::with_capacity(plan.cells.len());
        let end = [self.services.len() as u32, NONE];
        for cell in 0..plan.cells.len() as u32 {
            begins.push(entries.len() as u32);
            for p in plan.cells.get(cell) {
                let p = placed.get(*p as usize)?;
                entries.push([p.service, p.rule]);
            }
            entries.push(end);
        }
        let row = |row: &u32| {
            let from = at(&plan.begins, *row);
            [from, at(&plan.begins, *row + 1) - from]
        };
        Some(Lists {
            rows: plan.rows.iter().map(row).collect(),
            starts: Numbers::new(plan.runs.iter().map(|[column, _]| *column).collect()),
            lists: Numbers::new(plan.runs.iter().map(|[_, c]| at(&begins, *c)).collect()),
            entries,
        })
    }

    fn table(&self, plan: &Plan, placed: &[Placed], budget: &mut Budget) -> Option<Form> {
        let mut depth = 0;
        while depth < 3 && plan.width >> (depth * NODE) > TOP {
            depth += 1;
        }
        let shift = depth * NODE;
        let per_row = plan.width.div_ceil(1 << shift);
        let mut nodes = Interner::default();
        let mut top: Vec<u32> = Vec::new();
        for ends in plan.begins.windows(2) {
            let [from, to] = ends else { continue };
            let runs = plan.runs.get(*from as usize..*to as usize)?;
            let mut runs = runs.iter().copied().peekable();
            let mut run = 0;
            for place in 0..per_row {
                top.push(tree(&mut runs, &mut run, place << shift, shift, &mut nodes));
            }
            spend(&mut budget.work, per_row as usize)?;
            if (top.len() + nodes.total()) * 2 > TABLE_BYTES {
                return None;
            }
        }
        let nodes = nodes.into_data();
        let mut table = Draft::default();
        self.records(&mut table, placed, &plan.cells, budget)?;
        let rows = Numbers::new(plan.rows.iter().map(|r| r * per_row).collect());
        let short = || {
            Some((
                u16::list(&top)?,
                u16::list(&nodes)?,
                u16::list(&table.shapes)?,
            ))
        };
        let form = if let Some((top, nodes, shapes)) = short() {
            Form::Short(Table {
                rows,
                depth,
                top,
                nodes,
                records: table.records,
                shapes,
                positions: table.positions,
                rules: table.rules,
            })
        } else {
            Form::Long(Table {
                rows,
                depth,
                top: u32::list(&top)?,
                nodes: u32::list(&nodes)?,
                records: table.records,
                shapes: u32::list(&table.shapes)?,
                positions: table.positions,
                rules: table.rules,
            })
        };
        let bytes = match &form {
            Form::Short(t) => t.bytes(),
            Form::Long(t) => t.bytes(),
            Form::Lists(_) => return None,
        };
        (bytes <= TABLE_BYTES).then_some(form)
    }

    /// Makes the records, shapes and lists of rules of all cells.
    fn records(
        &self,
        table: &mut Draft,
        placed: &[Placed],
        cells: &Interner,
        budget: &mut Budget,
    ) -> Option<()> {
        let Classes::Table(classes) = self.classes else {
            return None;
        };
        let mut shapes = Interner::default();
        let mut longest = 0;
        let mut list: Vec<[u32; 2]> = Vec::new();
        let mut services: Vec<u32> = Vec::new();
        let per_shape = classes.count.div_ceil(1 << PAGE);
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
            table.records.push([shape, table.rules.len() as u32]);
            table.rules.push(NONE);
            table.rules.extend(list.iter().map(|[_, r]| *r));
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
            if pages.total() + numbers.len() * 2 > TABLE_BYTES {
                return None;
            }
        }
        let positions = if (shapes.len() * per_shape as usize) << PAGE <= WHOLE {
            // Few enough to do without page numbers.
            for [shape, _] in &mut table.records {
                *shape <<= PAGE;
            }
            numbers
                .iter()
                .flat_map(|n| pages.get(*n))
                .copied()
                .collect()
        } else {
            table.shapes = numbers;
            pages.into_data()
        };
        let positions = positions.into_iter().chain([0; 3]);
        table.positions = if longest <= usize::from(u8::MAX) {
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

/// What belongs to the records of a table.
#[derive(Default)]
struct Draft {
    records: Vec<[u32; 2]>,
    shapes: Vec<u32>,
    positions: Positions,
    rules: Vec<u32>,
}

/// The cells of a part before they are given a form.
#[derive(Default)]
struct Plan {
    /// By interval of the row's address: the row.
    rows: Vec<u32>,
    /// How many columns there are.
    width: u32,
    /// By row: its first run; and the end of the last row.
    begins: Vec<u32>,
    /// The column with which a run of equal cells begins, and the cell.
    runs: Vec<[u32; 2]>,
    /// For each different cell its rules.
    cells: Interner,
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
            spend(&mut budget.work, active.len() * 2 + INTERN)?;
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
}

impl Sweep {
    fn row(
        &mut self,
        builder: &Builder<'_>,
        placed: &[Placed],
        list: &[u32],
        columns: &[u32],
        plan: &mut Plan,
        budget: &mut Budget,
    ) -> Option<()> {
        self.events.clear();
        self.active.clear();
        for &i in list {
            let p = placed.get(i as usize)?;
            self.events.push((at(columns, p.columns.0), i));
            self.events.push((at(columns, p.columns.1) + 1, i));
        }
        self.events.sort_unstable();
        let mut events = self.events.iter().copied().peekable();
        let mut last = None;
        if events.peek().is_none_or(|(column, _)| *column > 0) {
            let empty = plan.cells.intern(&[]);
            plan.runs.push([0, empty]);
            last = Some(empty);
        }
        while let Some((column, i)) = events.next() {
            toggle(&mut self.active, i);
            while let Some((_, i)) = events.next_if(|(at, _)| *at == column) {
                toggle(&mut self.active, i);
            }
            // What follows the last column is nobody's.
            if column >= plan.width {
                break;
            }
            let work = prune(
                builder,
                placed,
                &self.active,
                &mut self.first,
                &mut self.dead,
            )?;
            spend(&mut budget.work, work + self.first.len() + INTERN)?;
            let cell = plan.cells.intern(&self.first);
            if last != Some(cell) {
                plan.runs.push([column, cell]);
                last = Some(cell);
            }
        }
        Some(())
    }
}

/// Keeps in `first` those of the active rules that can be first for some key; says how much work
/// it was.
fn prune(
    builder: &Builder<'_>,
    placed: &[Placed],
    active: &[u32],
    first: &mut Vec<u32>,
    dead: &mut [u32],
) -> Option<usize> {
    first.clear();
    if builder.covered.is_empty() {
        for &i in active {
            let service = builder
                .services
                .get(placed.get(i as usize)?.service as usize)?;
            let covers = |kept: &u32| {
                let kept = placed.get(*kept as usize).map(|p| p.service as usize);
                let kept = kept.and_then(|s| builder.services.get(s));
                kept.is_some_and(|kept| kept.covers(service))
            };
            if !first.iter().take(NEAR).any(covers) {
                first.push(i);
            }
        }
        return Some(active.len() * NEAR * 2 + 1);
    }
    dead.fill(0);
    for &i in active {
        let service = placed.get(i as usize)?.service;
        if at(dead, service / 32) >> (service % 32) & 1 != 0 {
            continue;
        }
        first.push(i);
        let from = service as usize * builder.words;
        let covered = builder.covered.get(from..from + builder.words)?;
        dead.iter_mut().zip(covered).for_each(|(d, c)| *d |= c);
    }
    Some(active.len() + first.len() * builder.words + 1)
}

/// The entry for the `2^shift` columns from `from` on, made of the runs in which equal cells come.
fn tree(
    runs: &mut Peekable<impl Iterator<Item = [u32; 2]>>,
    run: &mut u32,
    from: u32,
    shift: u32,
    nodes: &mut Interner,
) -> u32 {
    while let Some([_, cell]) = runs.next_if(|[column, _]| *column <= from) {
        *run = cell;
    }
    if runs
        .peek()
        .is_none_or(|[column, _]| *column >= from + (1 << shift))
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
