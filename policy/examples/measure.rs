//! How long reading, checking and compiling take and how much memory: many filter rules, and hostile texts.
//!
//! `cargo run --release -p hostward-policy --example measure [RULES]`

use std::fmt::Write as _;

use cpu_time::ThreadTime;
use hostward_policy::filter::{Options, compile};
use hostward_policy::{Diagnostics, Language, Policy, Sources};

fn rules(count: usize) -> String {
    let mut text = String::from("IpFilterPolicy\n{\n");
    for i in 0..count {
        writeln!(text, "  IpFilterRuleRef Rule{i}").unwrap_or_default();
    }
    text.push_str("}\n");
    for i in 0..count {
        let (a, b) = (i / 250 % 250, i % 250);
        write!(
            text,
            "IpFilterRule Rule{i}\n{{\n  IpSourceAddr 10.1.{a}.{b}\n  IpDestAddrSet 10.{a}.{b}.0/24\n  IpService\n  {{\n    \
             SourcePortRange 80\n    DestinationPortRange 1024 65535\n    Protocol tcp\n    Direction bidirectional \
             InboundConnect\n    Routing local\n    SecurityClass 0\n  }}\n  IpGenericFilterAction\n  {{\n    \
             IpFilterAction permit\n    IpFilterLogging no\n  }}\n}}\n"
        )
        .unwrap_or_default();
    }
    text
}

fn measure(language: &Language, name: &str, text: String, rounds: usize) {
    let bytes = text.len();
    let read = || -> Option<usize> {
        let mut sources = Sources::new();
        sources.add(name, text.as_bytes()).ok()?;
        let mut out = Diagnostics::default();
        let policy = Policy::read(language, &sources, &mut out);
        drop(compile(&policy, &Options::default(), &mut out));
        Some(out.iter().count())
    };
    let mut best = f64::INFINITY;
    let mut messages = 0;
    for _ in 0..rounds {
        let start = ThreadTime::now();
        messages = read().unwrap_or(0);
        best = best.min(start.elapsed().as_secs_f64());
    }
    // With the copy of the text.
    let memory = allocation_counter::measure(|| {
        read();
    });
    println!(
        "{name:<34} {bytes:>10} bytes {:>9.1} ms {:>7.1} ns/byte, peak heap {:>5.1} x text, {messages} messages",
        best * 1e3,
        best * 1e9 / bytes as f64,
        memory.bytes_max as f64 / bytes as f64,
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let language = Language::full()?;
    let count = std::env::args()
        .nth(1)
        .and_then(|a| a.parse().ok())
        .unwrap_or(10_000);
    measure(&language, "filter rules", rules(count), 15);
    let million = 1_000_000;
    let mut references = String::from(
        "IpFilterRule R\n{\n  IpGenericFilterAction\n  {\n    IpFilterAction permit\n  }\n}\nIpFilterPolicy\n{\n",
    );
    references.push_str(&"  IpFilterRuleRef R\n".repeat(million));
    references.push_str("}\n");
    measure(
        &language,
        "a million references to one name",
        references.clone(),
        1,
    );
    measure(
        &language,
        "a million unresolved references",
        references.replace("Ref R", "Ref Q"),
        1,
    );
    measure(&language, "a million open braces", "{\n".repeat(million), 1);
    measure(
        &language,
        "a million braces on a line",
        "{".repeat(million),
        1,
    );
    measure(
        &language,
        "a million closing braces",
        "}\n".repeat(million),
        1,
    );
    measure(
        &language,
        "a million nested blocks",
        "IpFilterPolicy\n{\n".repeat(million),
        1,
    );
    measure(
        &language,
        "a million repeated parameters",
        format!("IpService A\n{{\n{}}}\n", "Protocol tcp\n".repeat(million)),
        1,
    );
    measure(
        &language,
        "a million times one name",
        "IpAddr A\n{\nAddr ::\n}\n".repeat(million / 4),
        1,
    );
    measure(
        &language,
        "a million misspelt keywords",
        "IpFilterRul A\n".repeat(million),
        1,
    );
    measure(
        &language,
        "a million values with errors",
        format!("IpService A\n{{\n{}}}\n", "Type 1-0\n".repeat(million)),
        1,
    );
    let size = 100 << 20;
    let mut state = 1_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let garbage: String = (0..size)
        .map(|_| char::from((random() % 128) as u8))
        .collect();
    measure(&language, "100 MiB of garbage", garbage, 1);
    let garbage: Vec<u8> = (0..size / 8).flat_map(|_| random().to_le_bytes()).collect();
    measure(
        &language,
        "100 MiB of garbage bytes",
        String::from_utf8_lossy(&garbage).into_owned(),
        1,
    );
    let pieces = [
        "IpAddr\n",
        "{\n",
        "}\n",
        "Protocol tcp\n",
        "#\n",
        "IpService\n",
        "Addr ::\n",
        " ",
    ];
    let words: String = (0..size / 8)
        .map(|_| {
            pieces
                .get((random() % 8) as usize)
                .copied()
                .unwrap_or_default()
        })
        .collect();
    measure(&language, "pieces of the language", words, 1);
    measure(&language, "100 MiB on one line", "a ".repeat(size / 2), 1);
    measure(&language, "100 MiB of empty lines", "\n".repeat(size), 1);
    measure(
        &language,
        "100 MiB of lines of one letter",
        "a\n".repeat(size / 2),
        1,
    );
    Ok(())
}
