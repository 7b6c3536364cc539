//! `hostward zert`: how connections are protected.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use hostward::GuardConfig;
use hostward::hook::flow::{FlowConfig, HashKey};
use hostward::hook::{Code, Cx, Now, UnixTime};
use hostward::smf::codes::{DetailEvent, Reason};
use hostward::smf::file::FileReader;
use hostward::smf::{self, Extended, Level, MAX_RECORD};
use hostward::zert::Record;
use hostward::zert::aggregate::{self, Aggregator};
use hostward::zert::code;
use hostward::zert::smf::{Writer, of_detail, of_summary};
use ipnet::IpNet;

use super::Outcome;
use super::inspect::{FLOWS, Terminal, random};
use crate::capture::tunnel::DEFAULT_DEPTH;
use crate::engine::Engine as _;
use crate::escape::escaped;
use crate::feed::Feed;
use crate::guarded::Guarded;
use crate::inventory::{Inventory, cbom, eve, rows, text};
use crate::local::{Local, parse_prefix};
use crate::report::line::{DecisionLine, EventLine, SummaryLine, ZertEventLine};
use crate::report::{InputFacts, Output};

const AFTER: &str = "Exit codes:
  0  everything was done
  1  a file could not be read to its end, or the output could not be written
  2  the command line is wrong, or would have a file overwritten that is to be read";

/// Connections of detail records that are remembered until their end comes.
const OPEN: usize = 1 << 20;

/// Arguments of `zert`.
#[derive(Args, Debug)]
#[non_exhaustive]
pub struct ZertArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ZertCommand,
}

/// The sub-commands of `zert`.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum ZertCommand {
    /// Tell how the connections in captures or SMF files are protected, worst first
    Report(Report),
}

/// Arguments of `zert report`.
#[derive(Args, Debug)]
#[command(after_help = AFTER)]
#[non_exhaustive]
pub struct Report {
    /// Captures (pcap or pcapng, plain or gzip), or files of SMF records of type 119, subtypes 11
    /// and 12; `-` is a capture on standard input, and so is a pipe. Summaries (subtype 12) count only where nothing
    /// tells of each connection
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Write JSON, one object a line
    #[arg(long, group = "format")]
    pub json: bool,

    /// Write the services as comma-separated values
    #[arg(long, group = "format")]
    pub csv: bool,

    /// Write a cryptography bill of materials: CycloneDX 1.6, JSON
    #[arg(long, group = "format")]
    pub cbom: bool,

    /// Write every TLS, SSH and QUIC connection as an event as Suricata writes it (EVE JSON)
    #[arg(long, group = "format")]
    pub eve: bool,

    /// Write every connection as a LEEF 1.0 event
    #[arg(long, group = "format")]
    pub leef: bool,

    /// Write SMF records of type 119, subtypes 11 and 12, into a file as well; from captures only
    #[arg(long, value_name = "FILE")]
    pub smf: Option<PathBuf>,

    /// Leave out of that file the records (type 255) of what z/OS records cannot express
    #[arg(long, requires = "smf")]
    pub no_extensions: bool,

    /// Fill in that file the fields that this project has added to z/OS records
    #[arg(long, requires = "smf")]
    pub extended: bool,

    /// List certificates that expire within so many days of the latest time in the input
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    pub days: u32,

    /// The addresses that are this host, as a prefix; may be repeated. Without it the side that
    /// accepts connections is taken, or else the most frequent address
    #[arg(long, value_name = "PREFIX", value_parser = parse_prefix, value_delimiter = ',')]
    pub local: Vec<IpNet>,

    /// How many flows are remembered at once
    #[arg(long, value_name = "NUMBER", default_value_t = FLOWS)]
    pub flows: usize,

    /// How deep tunnels are opened; 0 takes every packet as it is
    #[arg(long, value_name = "DEPTH", default_value_t = DEFAULT_DEPTH)]
    pub tunnels: usize,
}

impl ZertArgs {
    pub(super) fn run(self) -> io::Result<Outcome> {
        match self.command {
            ZertCommand::Report(report) => report.run(),
        }
    }
}

/// Each connection on a line of its own while it is read.
type EachLine = fn(&Record, &mut dyn Write) -> io::Result<()>;

impl Report {
    fn run(self) -> io::Result<Outcome> {
        let stdout = io::stdout();
        let mut out = BufWriter::with_capacity(64 * 1024, stdout.lock());
        let each: Option<EachLine> = if self.eve {
            Some(eve::eve)
        } else if self.leef {
            Some(eve::leef)
        } else {
            None
        };
        let records = match &self.smf {
            Some(path) if self.files.iter().any(|f| is_same(f, path)) => {
                tell(path, "is to be read and written at once");
                return Ok(Outcome::Usage);
            }
            Some(path) => match File::create(path) {
                Ok(file) => Some(SmfFile::new(file, self.extended, !self.no_extensions)?),
                Err(error) => {
                    tell(path, &error.to_string());
                    return Ok(Outcome::Failed);
                }
            },
            None => None,
        };
        let mut found = Found {
            each,
            out: &mut out,
            all: Inventory::default(),
            told: HashSet::new(),
            records,
        };
        let (captures, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
            self.files.iter().partition(|f| is_capture(f));
        let mut failed = false;
        if !captures.is_empty() {
            failed |= self.captures(&captures, &mut found)?;
        }
        if let Some(records) = &mut found.records {
            records.finish(found.all.first, found.all.last)?;
        }
        let mut summaries = Inventory::default();
        for file in others {
            match read_smf(file, &mut found, &mut summaries) {
                Ok(()) => {}
                Err(ReadError::Write(error)) => return Err(error),
                Err(ReadError::File(what)) => {
                    tell(file, &what);
                    failed = true;
                }
            }
        }
        let mut all = found.all;
        // Summaries tell of the same connections as captures and detail records do.
        if all.connections == 0 {
            all = summaries;
        }
        if self.json {
            rows::json(&all, self.days, &mut out)?;
        } else if self.csv {
            rows::csv(&all, &mut out)?;
        } else if self.cbom {
            cbom::write(&all, &mut out)?;
        } else if each.is_none() {
            text::report(&all, self.days, &mut out)?;
        }
        out.flush()?;
        Ok(if failed {
            Outcome::Failed
        } else {
            Outcome::Done
        })
    }

    /// Reads captures; says whether one could not be read.
    fn captures(&self, files: &[&PathBuf], found: &mut Found<'_>) -> io::Result<bool> {
        let config = GuardConfig {
            flows: FlowConfig {
                capacity: self.flows,
                ..FlowConfig::default()
            },
            ..GuardConfig::default()
        };
        let mut engine = Guarded::new(config, HashKey::new(random()?), false, self.tunnels);
        let mut watcher = Terminal::new(None);
        let local = (!self.local.is_empty()).then(|| Local::named(self.local.clone()));
        let mut feed = Feed::new(&mut engine, &mut *found, &mut watcher, self.tunnels, local);
        for file in files {
            feed.file(file)?;
        }
        let fed = feed.finish()?;
        engine.finish(&mut *found)?;
        Ok(fed.failed_files > 0)
    }
}

fn tell(file: &Path, what: &str) {
    let name = file.to_string_lossy();
    // A closed standard error is no reason to stop.
    let _ = writeln!(io::stderr(), "error: {}: {what}", escaped(&name));
}

/// Whether two names are of one file, which there must be.
fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Whether a file begins as a capture does, or cannot be read, which the reader of captures tells.
/// A pipe is taken for one: what is read of it to look is gone.
fn is_capture(file: &Path) -> bool {
    const BEGINNINGS: [&[u8]; 6] = [
        &[0xA1, 0xB2, 0xC3, 0xD4],
        &[0xD4, 0xC3, 0xB2, 0xA1],
        &[0xA1, 0xB2, 0x3C, 0x4D],
        &[0x4D, 0x3C, 0xB2, 0xA1],
        &[0x0A, 0x0D, 0x0D, 0x0A],
        // A record of 8,075 bytes begins with the first two.
        &[0x1F, 0x8B, 0x08],
    ];
    if file == Path::new("-") || !file.is_file() {
        return true;
    }
    let mut head = [0; 4];
    match File::open(file).and_then(|mut f| f.read_exact(&mut head)) {
        Ok(()) => BEGINNINGS.iter().any(|b| head.starts_with(b)),
        // A file without records is empty.
        Err(error) => error.kind() != io::ErrorKind::UnexpectedEof,
    }
}

/// Takes what the engine finds.
struct Found<'o> {
    each: Option<EachLine>,
    out: &'o mut dyn Write,
    all: Inventory,
    /// Connections that an event of discovery told of.
    told: HashSet<u64>,
    records: Option<SmfFile>,
}

impl Found<'_> {
    fn add(&mut self, record: &Record, connections: u64) -> io::Result<()> {
        self.all.add(record, connections);
        match self.each {
            Some(each) => each(record, &mut *self.out),
            None => Ok(()),
        }
    }
}

impl Output for Found<'_> {
    fn wants_decisions(&self) -> bool {
        false
    }

    fn wants_events(&self) -> bool {
        self.records.is_some()
    }

    fn zert(&mut self, record: &Record) -> io::Result<()> {
        if let Some(records) = &mut self.records {
            let was_told = record.flow.is_some_and(|f| self.told.remove(&f.as_u64()));
            if !was_told {
                // Its end, or that of the capture, came before discovery had told of it.
                let event = if record.open_at_end {
                    code::INITIATION
                } else {
                    code::SHORT_TERMINATION
                };
                records.event(event, record, record.last)?;
            } else if let (true, Some(flow)) = (record.open_at_end, record.flow) {
                records.aggregator.traffic(flow, record.traffic);
            }
        }
        self.add(record, 1)
    }

    fn zert_event(&mut self, line: &ZertEventLine<'_>) -> io::Result<()> {
        let record = line.session.0;
        let event = match line.event {
            1 => code::INITIATION,
            2 => code::CHANGE,
            3 => code::TERMINATION,
            4 => code::SHORT_TERMINATION,
            _ => return Ok(()),
        };
        if let Some(flow) = record.flow {
            self.told.insert(flow.as_u64());
        }
        match &mut self.records {
            Some(records) => records.event(event, record, Now::from_wall(line.ts.0)),
            None => Ok(()),
        }
    }

    fn event(&mut self, _: &EventLine) -> io::Result<()> {
        Ok(())
    }

    fn decision(&mut self, _: &DecisionLine) -> io::Result<()> {
        Ok(())
    }

    fn summary(&mut self, _: &SummaryLine, _: &InputFacts) -> io::Result<()> {
        Ok(())
    }
}

/// A file of SMF records that is written.
struct SmfFile {
    file: BufWriter<File>,
    writer: Writer<'static>,
    aggregator: Aggregator,
    with_extensions: bool,
    buffer: Vec<u8>,
}

impl SmfFile {
    fn new(file: File, extended: bool, with_extensions: bool) -> io::Result<Self> {
        let mut writer = Writer::new("HOST", "HOSTWARD", &());
        let mut config = aggregate::Config::default();
        if extended {
            writer.level = Level::Extended;
            config.detail = aggregate::Detail::Certificates;
        }
        Ok(Self {
            file: BufWriter::new(file),
            writer,
            // The capture has its own time: whatever is in it is to be counted.
            aggregator: Aggregator::new(config, HashKey::new(random()?), Now::default()),
            with_extensions,
            buffer: vec![0; MAX_RECORD],
        })
    }

    fn event(&mut self, event: Code, record: &Record, now: Now) -> io::Result<()> {
        self.aggregator.record(event, record, now);
        let level = self.writer.level;
        if let Some(detail) = self.writer.detail(event, record, now) {
            let len = detail.encode(level, &mut self.buffer);
            put(&mut self.file, &self.buffer, len)?;
        }
        if self.with_extensions
            && let Some(extension) = self.writer.detail_extension(event, record, now)
        {
            let len = extension.encode(level, &mut self.buffer);
            put(&mut self.file, &self.buffer, len)?;
        }
        Ok(())
    }

    /// Writes the sessions: the capture is over.
    /// It is the only interval.
    fn finish(&mut self, first: Option<UnixTime>, last: UnixTime) -> io::Result<()> {
        let length = last
            .as_micros()
            .saturating_sub(first.unwrap_or(last).as_micros());
        let length = Duration::from_micros(length);
        let (mut events, mut actions) = ((), ());
        let mut cx = Cx::new(Now::from_wall(last), &mut events, &mut actions);
        let (writer, with_extensions) = (&self.writer, self.with_extensions);
        let (file, buffer) = (&mut self.file, &mut self.buffer);
        let mut result = Ok(());
        // Not every session has a record of z/OS, and the last one that has ends the set: each waits
        // until it is known whether another comes.
        let mut waiting: Option<Group> = None;
        self.aggregator.shutdown(&mut cx, &mut |session| {
            if result.is_err() {
                return;
            }
            let mut session = *session;
            session.interval = length;
            let session = &session;
            let extension = with_extensions.then(|| writer.summary_extension(session));
            let extension = extension.flatten();
            match (writer.summary(session), &mut waiting) {
                (None, Some(before)) => before.extensions.extend(extension),
                (None, none) => {
                    *none = Some(Group {
                        summary: None,
                        extensions: extension.into_iter().collect(),
                    });
                }
                (Some(summary), _) => {
                    if let Some(before) = waiting.take() {
                        result = before.write(false, writer.level, file, buffer);
                    }
                    waiting = Some(Group {
                        summary: Some(summary),
                        extensions: extension.into_iter().collect(),
                    });
                }
            }
        });
        result?;
        if let Some(last) = waiting {
            last.write(true, writer.level, file, buffer)?;
        }
        self.file.flush()
    }
}

/// A summary and what extends it and what has no summary behind it.
struct Group {
    summary: Option<smf::Summary>,
    extensions: Vec<smf::Extension>,
}

impl Group {
    fn write(
        self,
        is_last: bool,
        level: Level,
        file: &mut impl Write,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        if let Some(mut summary) = self.summary {
            summary.identification.reason = if is_last {
                Reason::SHUTDOWN
            } else {
                Reason::SHUTDOWN_MORE
            };
            let len = summary.encode(level, buffer);
            put(file, buffer, len)?;
        }
        for extension in self.extensions {
            let len = extension.encode(level, buffer);
            put(file, buffer, len)?;
        }
        Ok(())
    }
}

fn put(file: &mut impl Write, buffer: &[u8], len: Result<usize, smf::NoRoom>) -> io::Result<()> {
    let len = len.map_err(io::Error::other)?;
    file.write_all(buffer.get(..len).unwrap_or(buffer))
}

enum ReadError {
    /// Of the file that is read.
    File(String),
    /// Of the output.
    Write(io::Error),
}

/// A connection of detail records, until its end comes.
type OpenKey = (u32, SocketAddr, SocketAddr, u32, u32);

/// Reads a file of SMF records: detail records into the inventory, a connection once; summaries into
/// one of their own.
fn read_smf(
    file: &Path,
    found: &mut Found<'_>,
    summaries: &mut Inventory,
) -> Result<(), ReadError> {
    let source = File::open(file).map_err(|e| ReadError::File(e.to_string()))?;
    let mut reader = FileReader::new(source);
    let mut open: HashMap<OpenKey, Record> = HashMap::new();
    // A record waits for its extension, which comes directly after it.
    let mut waiting: Option<smf::Record> = None;
    let mut errors: Option<String> = None;
    loop {
        let next = match reader.next_record() {
            Ok(next) => next,
            Err(error) => {
                errors = Some(error.to_string());
                None
            }
        };
        let is_end = next.is_none();
        let decoded = match next.map(|r| (r.number, smf::Record::decode(r.bytes))) {
            Some((_, Ok(record))) => Some(record),
            Some((number, Err(error))) => {
                errors = Some(format!("record {number}: {error}"));
                continue;
            }
            None => None,
        };
        let extension = match (&decoded, &waiting) {
            (Some(smf::Record::Extension(x)), Some(before)) if belongs(x, before) => Some(x),
            _ => None,
        };
        match waiting.take() {
            Some(smf::Record::Detail(detail)) => {
                let record = of_detail(&detail, extension, 0);
                connection(
                    detail.common.event,
                    detail.common.connection_id,
                    record,
                    &mut open,
                    found,
                )
                .map_err(ReadError::Write)?;
            }
            Some(smf::Record::Summary(summary)) => {
                session(&summary, extension, summaries);
            }
            _ => {}
        }
        let is_taken = extension.is_some();
        match decoded {
            // The only record of its connection.
            Some(smf::Record::Extension(x)) if !is_taken => {
                if let Extended::Detail(common) = x.common {
                    let mut detail = smf::Detail::default();
                    (detail.stamp, detail.common) = (x.stamp, common);
                    let record = of_detail(&detail, Some(&x), 0);
                    connection(common.event, common.connection_id, record, &mut open, found)
                        .map_err(ReadError::Write)?;
                } else if let Extended::Summary(common) = x.common {
                    let mut summary = smf::Summary::default();
                    (summary.stamp, summary.common) = (x.stamp, common);
                    session(&summary, Some(&x), summaries);
                }
            }
            Some(record @ (smf::Record::Detail(_) | smf::Record::Summary(_))) => {
                waiting = Some(record);
            }
            _ => {}
        }
        if is_end {
            break;
        }
    }
    for record in open.values() {
        found.add(record, 1).map_err(ReadError::Write)?;
    }
    errors.map_or(Ok(()), |e| Err(ReadError::File(e)))
}

/// Whether an extension is that of a record.
fn belongs(extension: &smf::Extension, record: &smf::Record) -> bool {
    match (&extension.common, record) {
        (Extended::Detail(common), smf::Record::Detail(detail)) => *common == detail.common,
        (Extended::Summary(common), smf::Record::Summary(summary)) => *common == summary.common,
        _ => false,
    }
}

fn connection(
    event: DetailEvent,
    id: u32,
    record: Record,
    open: &mut HashMap<OpenKey, Record>,
    found: &mut Found<'_>,
) -> io::Result<()> {
    let opened = record.opened.wall.as_micros();
    let key = (
        id,
        record.local(),
        record.remote(),
        (opened >> 32) as u32,
        opened as u32,
    );
    match event {
        DetailEvent::INITIATION | DetailEvent::CHANGE => {
            if open.len() < OPEN || open.contains_key(&key) {
                open.insert(key, record);
                return Ok(());
            }
            found.add(&record, 1)
        }
        DetailEvent::TERMINATION | DetailEvent::SHORT_TERMINATION => {
            open.remove(&key);
            found.add(&record, 1)
        }
        // Switching, and what enforcement did with a connection that other records tell of.
        _ => Ok(()),
    }
}

/// Counts what a session did in the interval of a record.
fn session(summary: &smf::Summary, extension: Option<&smf::Extension>, all: &mut Inventory) {
    let Some((mut record, init, end)) = of_summary(summary, extension) else {
        return;
    };
    let bytes = |c: &aggregate::Counters| c.in_bytes.saturating_add(c.out_bytes);
    record.bytes = bytes(&end).saturating_sub(bytes(&init));
    all.add(
        &record,
        end.connections.saturating_sub(init.connections).into(),
    );
}
