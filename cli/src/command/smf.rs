//! `hostward smf`: files of SMF records.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use hostward::smf::file::{FileReader, FileRecord, ReadError};
use hostward::smf::layout::record_info;
use hostward::smf::{CodePage, Item, Kind, Malformed, RecordView, Value, visit};
use serde::Serialize;

use super::Outcome;
use crate::escape::escaped;

const AFTER: &str = "Exit codes:
  0  everything was done
  1  the file could not be read to its end, a record has errors, or the output could not be written
  2  the command line is wrong, or the file on it cannot be read";

/// Bytes of unknown meaning that are shown in a line.
const SHOWN: usize = 32;

/// Arguments of `smf`.
#[derive(Args, Debug)]
#[non_exhaustive]
pub struct SmfArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SmfCommand,
}

/// The sub-commands of `smf`.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum SmfCommand {
    /// Show every record of a file field by field
    Dump(Dump),
}

/// Arguments of `smf dump`.
#[derive(Args, Debug)]
#[command(after_help = AFTER)]
#[non_exhaustive]
pub struct Dump {
    /// The file: records with their record descriptor words, or blocks; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Write one JSON object a record
    #[arg(long)]
    pub json: bool,

    /// EBCDIC code page of texts
    #[arg(long, value_name = "PAGE", default_value = "1047")]
    pub code_page: Page,
}

/// EBCDIC code pages.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[non_exhaustive]
pub enum Page {
    /// IBM-1047
    #[value(name = "1047")]
    Ibm1047,
    /// Code page 037
    #[value(name = "037")]
    Ibm037,
}

impl From<Page> for CodePage {
    fn from(page: Page) -> Self {
        match page {
            Page::Ibm1047 => Self::Ibm1047,
            Page::Ibm037 => Self::Ibm037,
        }
    }
}

impl SmfArgs {
    pub(super) fn run(self) -> io::Result<Outcome> {
        match self.command {
            SmfCommand::Dump(dump) => dump.run(),
        }
    }
}

impl Dump {
    fn run(self) -> io::Result<Outcome> {
        let source: Box<dyn Read> = if self.file == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            match File::open(&self.file) {
                Ok(file) => Box::new(file),
                Err(error) => {
                    tell(&self.file, &error.to_string())?;
                    return Ok(Outcome::Usage);
                }
            }
        };
        let mut reader = FileReader::new(source);
        let mut out = BufWriter::new(io::stdout().lock());
        let mut end = End::default();
        let failed = loop {
            match reader.next_record() {
                Ok(Some(record)) => {
                    let shown = shown(&record, self.code_page.into());
                    end.records += 1;
                    end.errors += shown.errors.len() as u64;
                    if self.json {
                        line(&mut out, &shown)?;
                    } else {
                        shown.write(&mut out)?;
                    }
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        end.form = reader.form().map(|f| f.to_string());
        end.failed = failed.as_ref().map(ToString::to_string);
        if self.json {
            line(&mut out, &end)?;
        } else {
            let form = end.form.as_deref().unwrap_or("no form");
            writeln!(
                out,
                "{} records, {} errors; {form}",
                end.records, end.errors
            )?;
        }
        out.flush()?;
        if let Some(error) = &failed {
            tell(&self.file, &error.to_string())?;
        }
        Ok(match failed {
            // A folder can be opened, but not read.
            Some(ReadError::Io(_)) if end.records == 0 => Outcome::Usage,
            None if end.errors == 0 => Outcome::Done,
            _ => Outcome::Failed,
        })
    }
}

fn tell(file: &Path, what: &str) -> io::Result<()> {
    let name = file.to_string_lossy();
    writeln!(io::stderr(), "error: {}: {what}", escaped(&name))
}

fn line(out: &mut impl Write, object: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    writeln!(out)
}

/// The last line.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "summary")]
#[derive(Default)]
struct End {
    /// Form of the file, `None` if it has none.
    form: Option<String>,
    records: u64,
    /// Of records that contradict themselves.
    errors: u64,
    /// Why the file was not read to its end.
    failed: Option<String>,
}

/// A record.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "record")]
struct Shown {
    record: u64,
    position: u64,
    length: usize,
    smf_type: Option<u8>,
    subtype: Option<u16>,
    title: Option<&'static str>,
    fields: Vec<Field>,
    errors: Vec<String>,
}

/// A field of a record.
#[derive(Debug, Serialize)]
struct Field {
    section: &'static str,
    triplet: Option<u16>,
    instance: u16,
    field: String,
    zos: &'static str,
    offset: usize,
    length: usize,
    mark: char,
    value: serde_json::Value,
    meaning: Option<String>,
    #[serde(skip)]
    text: String,
    #[serde(skip)]
    is_empty: bool,
}

fn shown(record: &FileRecord<'_>, page: CodePage) -> Shown {
    let view = RecordView::parse(record.bytes).ok();
    let smf_type = view.map(|v| v.header().record_type);
    let subtype = view.and_then(|v| v.subtype());
    let mut shown = Shown {
        record: record.number,
        position: record.position,
        length: record.bytes.len(),
        smf_type,
        subtype,
        title: smf_type
            .and_then(|t| record_info(t, subtype))
            .map(|i| i.title),
        fields: Vec::new(),
        errors: Vec::new(),
    };
    visit(
        record.bytes,
        &mut |item: Result<Item<'_>, Malformed>| match item {
            Ok(item) => shown.fields.push(Field::new(&item, page)),
            Err(error) => shown.errors.push(error.to_string()),
        },
    );
    shown
}

impl Field {
    fn new(item: &Item<'_>, page: CodePage) -> Self {
        let value = item.value();
        let text = value.display(page).to_string();
        let number = if let Value::Number(n) | Value::Code(n, _) | Value::Flags(n, _) = value {
            Some(n.into())
        } else {
            None
        };
        let field = item.field;
        Self {
            section: item.section,
            triplet: item.triplet,
            instance: item.instance,
            field: if item.group.is_empty() {
                field.name.to_owned()
            } else {
                format!("{}.{}", item.group, field.name)
            },
            zos: field.zos,
            offset: item.offset,
            length: item.bytes.len(),
            mark: field.confidence.letter(),
            value: number.unwrap_or_else(|| text.clone().into()),
            meaning: value.meaning().map(|m| m.to_string()),
            is_empty: field.kind == Kind::Reserved && item.bytes.iter().all(|b| *b == 0),
            text: if let Value::Hex(bytes) = value
                && bytes.len() > SHOWN
            {
                let some: String = text.chars().take(2 * SHOWN).collect();
                format!("{some}… ({} bytes)", bytes.len())
            } else {
                text
            },
        }
    }
}

impl Shown {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "record {} at byte {}: ", self.record, self.position)?;
        if let Some(smf_type) = self.smf_type {
            write!(out, "type {smf_type}")?;
        }
        if let Some(subtype) = self.subtype {
            write!(out, " subtype {subtype}")?;
        }
        let title = self.title.unwrap_or("not known");
        writeln!(out, ", {title}, {} bytes", self.length)?;
        let mut section = None;
        for field in self.fields.iter().filter(|f| !f.is_empty) {
            let here = (field.section, field.triplet, field.instance);
            if section != Some(here) {
                section = Some(here);
                match field.triplet {
                    Some(n) => write!(out, "  section {n}: {}", field.section)?,
                    None => write!(out, "  {}", field.section)?,
                }
                match field.instance {
                    0 => writeln!(out)?,
                    n => writeln!(out, ", number {}", n + 1)?,
                }
            }
            write!(
                out,
                "{:>7} {:>3} {} {:<36} {}",
                field.offset,
                field.length,
                field.mark,
                field.field,
                escaped(&field.text)
            )?;
            match &field.meaning {
                Some(meaning) => writeln!(out, "  {meaning}")?,
                None => writeln!(out)?,
            }
        }
        for error in &self.errors {
            writeln!(out, "  error: {error}")?;
        }
        writeln!(out)
    }
}
