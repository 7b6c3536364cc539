//! The inventory as a report to read.

use std::io::{self, Write};

use super::{Grade, Inventory, Place, Protection, State, Totals};
use crate::escape::escaped;
use crate::report::line::Timestamp;

/// What a grade means, in a few words.
const fn meaning(grade: Grade) -> &'static str {
    match grade {
        Grade::None => "not protected",
        Grade::Broken => "broken today",
        Grade::Weak => "forbidden or discouraged today",
        Grade::Unknown => "good today as far as seen; quantum resistance not known",
        Grade::Classical => "good today; a quantum computer opens what was recorded",
        Grade::Hybrid => "good today; post-quantum key exchange beside a classical one",
        Grade::Pq => "good today; post-quantum key exchange",
    }
}

/// Writes the report: services worst first, post-quantum readiness, certificates that expire within
/// so many days, failed handshakes.
///
/// # Errors
///
/// Those of writing.
pub fn report(all: &Inventory, days: u32, out: &mut dyn Write) -> io::Result<()> {
    let places: std::collections::BTreeSet<Place> =
        all.services.keys().map(|(_, place)| *place).collect();
    writeln!(
        out,
        "{} to {}",
        counted(all.connections, "connection"),
        counted(places.len() as u64, "service")
    )?;
    if let Some(first) = all.first {
        writeln!(out, "{} to {}", Timestamp(first), Timestamp(all.last))?;
    }
    let rows = |failed: bool| {
        all.services
            .iter()
            .filter(move |((p, _), _)| (p.state == State::Failed) == failed)
    };
    let services: Vec<Vec<String>> = rows(false)
        .map(|((p, place), t)| service(p, *place, t))
        .collect();
    writeln!(out, "\nProtection, worst first")?;
    let head = ["grade", "service", "connections", "protection", "why"];
    table(&head, &services, out)?;
    readiness(all, out)?;
    certificates(all, days, out)?;
    let failures: Vec<Vec<String>> = rows(true)
        .map(|((p, place), t)| {
            let alerts: Vec<&str> = t.alerts.iter().map(String::as_str).collect();
            vec![
                named(*place, t),
                t.connections.to_string(),
                escaped(&p.words()).into_owned(),
                if alerts.is_empty() {
                    "none seen".into()
                } else {
                    alerts.join(", ")
                },
            ]
        })
        .collect();
    writeln!(out, "\nFailed handshakes")?;
    table(
        &["service", "connections", "protection", "alerts"],
        &failures,
        out,
    )?;
    for (n, what) in [
        (all.left_out, "connections"),
        (all.certificates_left_out, "certificates"),
    ] {
        if n > 0 {
            writeln!(out, "\n{n} {what} are not listed: there are too many kinds")?;
        }
    }
    Ok(())
}

fn named(place: Place, t: &Totals) -> String {
    match t.names.first() {
        Some(name) => format!("{place} {}", escaped(name)),
        None => place.to_string(),
    }
}

fn service(p: &Protection, place: Place, t: &Totals) -> Vec<String> {
    vec![
        p.grade.name().into(),
        named(place, t),
        t.connections.to_string(),
        escaped(&p.words()).into_owned(),
        p.reasons.join(", "),
    ]
}

fn counted(n: u64, what: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {what}{s}")
}

fn readiness(all: &Inventory, out: &mut dyn Write) -> io::Result<()> {
    let (grades, _) = all.by_grade();
    let (mut safe, mut open, mut unknown, mut clear) = (0, 0, 0, 0);
    for ((p, _), t) in &all.services {
        let n = t.connections;
        match (p.state, p.quantum_safe) {
            (State::Failed, _) => {}
            (State::Clear, _) if !p.ipsec => clear += n,
            (_, Some(true)) => safe += n,
            (_, Some(false)) => open += n,
            (_, None) => unknown += n,
        }
    }
    writeln!(out, "\nPost-quantum readiness")?;
    for (n, what) in [
        (safe, "post-quantum key exchange"),
        (open, "a quantum computer opens"),
        (clear, "anybody opens"),
        (unknown, "not known"),
    ] {
        writeln!(out, "{n:>8}  {what}")?;
    }
    writeln!(out, "\nBy grade")?;
    for grade in Grade::ALL {
        let n = grades.get(&grade).copied().unwrap_or(0);
        writeln!(out, "{n:>8}  {:<9}  {}", grade.name(), meaning(grade))?;
    }
    Ok(())
}

fn certificates(all: &Inventory, days: u32, out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<Vec<String>> = all
        .expiring(days)
        .map(|(left, c)| {
            let places: Vec<String> = c.places.iter().map(ToString::to_string).collect();
            vec![
                c.not_after.map(|t| t.to_string()).unwrap_or_default(),
                if left < 0 {
                    format!("expired {} days ago", -left)
                } else {
                    format!("{left} days left")
                },
                escaped(c.subject.as_deref().unwrap_or("")).into_owned(),
                places.join(" "),
            ]
        })
        .collect();
    writeln!(
        out,
        "\nCertificates that expire within {days} days ({} seen)",
        all.certificates.len()
    )?;
    table(&["until", "", "subject", "services"], &rows, out)
}

/// Columns as wide as their widest cell.
fn table(head: &[&str], rows: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "  none");
    }
    let mut widths: Vec<usize> = head.iter().map(|h| h.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::from(" ");
        for (cell, width) in cells.zip(&widths) {
            text.push(' ');
            text.push_str(cell);
            let gap = width.saturating_sub(cell.chars().count()) + 1;
            text.extend(std::iter::repeat_n(' ', gap));
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(&mut head.iter().copied())?;
    for row in rows {
        line(&mut row.iter().map(String::as_str))?;
    }
    Ok(())
}
