//! Hostile texts: time linear in the text, memory bounded, no deep stack.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod support;

use cpu_time::ThreadTime;
use hostward_policy::{Diagnostics, Policy, Style, render_all};
use support::{language, sources};

/// Reads a text and the same eight times as long; the longer one may take at most about eight times
/// as long, and not more than 50 times its length in memory.
fn is_linear(name: &str, text: impl Fn(usize) -> String) {
    let language = language();
    let time = |text: &str| {
        let sources = sources(&[text]);
        let mut best = f64::INFINITY;
        for _ in 0..3 {
            let start = ThreadTime::now();
            let mut out = Diagnostics::new(100);
            let policy = Policy::read(&language, &sources, &mut out);
            drop(policy);
            best = best.min(start.elapsed().as_secs_f64());
            out.sort();
            assert!(
                render_all(&out, &sources, Style::Plain).len() < 1 << 20,
                "{name}"
            );
        }
        best
    };
    let (short, long) = (text(5_000), text(40_000));
    let (one, eight) = (time(&short), time(&long));
    // A quadratic step would make it 64.
    assert!(eight < 25.0 * one + 0.05, "{name}: {one} s, {eight} s");
    let sources = sources(&[&long]);
    let memory = allocation_counter::measure(|| {
        let mut out = Diagnostics::new(100);
        drop(Policy::read(&language, &sources, &mut out));
    });
    let bound = 50 * long.len() as u64 + (1 << 20);
    assert!(
        memory.bytes_max < bound,
        "{name}: {} bytes of memory for {}",
        memory.bytes_max,
        long.len()
    );
}

#[test]
fn time_and_memory_are_linear() {
    is_linear("open braces", |n| "{\n".repeat(n));
    is_linear("open braces on one line", |n| "{".repeat(n));
    is_linear("braces on one line", |n| "{}".repeat(n));
    is_linear("closing braces", |n| "}\n".repeat(n));
    is_linear("blocks in blocks", |n| "IpFilterPolicy\n{\n".repeat(n));
    is_linear("blocks in blocks, indented to the left", |n| {
        (0..n)
            .map(|i| format!("{}IpFilterPolicy\n{{\n", " ".repeat(30 - i % 30)))
            .collect()
    });
    is_linear("one long line", |n| "a ".repeat(n));
    is_linear("one long word", |n| "a".repeat(n));
    is_linear("one long comment", |n| "#".repeat(n));
    is_linear("empty lines", |n| "\n".repeat(n));
    is_linear("byte order marks", |n| "\u{feff}".repeat(n));
    is_linear("carriage returns", |n| "\r".repeat(n));
    is_linear("misspelt statements", |n| "IpFilterRul A\n".repeat(n));
    is_linear("misspelt values", |n| {
        format!("IpService A\n{{\n{}}}\n", "Protocol tpc\n".repeat(n))
    });
    is_linear("one parameter", |n| {
        format!("IpService A\n{{\n{}}}\n", "Protocol tcp\n".repeat(n))
    });
    is_linear("one name", |n| "IpAddr A\n{\nAddr ::\n}\n".repeat(n / 4));
    is_linear("many names", |n| {
        (0..n / 4)
            .map(|i| format!("IpAddr A{i}\n{{\nAddr ::\n}}\n"))
            .collect()
    });
    is_linear("references to one name", |n| {
        format!(
            "IpAddr A\n{{\nAddr ::\n}}\nIpAddrGroup G\n{{\n{}}}\n",
            "IpAddrRef A\n".repeat(n)
        )
    });
    is_linear("unresolved references", |n| {
        let names: String = (0..n / 4)
            .map(|i| format!("IpAddr A{i}\n{{\nAddr ::\n}}\n"))
            .collect();
        format!(
            "{names}IpAddrGroup G\n{{\n{}}}\n",
            "IpAddrRef B\n".repeat(n / 4)
        )
    });
    is_linear("files of one kind and another", |n| {
        "LogLevel 1\nIpAddr A\n{\n}\n".repeat(n / 4)
    });
    is_linear("unresolved references with many names like them", |n| {
        let names: String = (0..n / 4)
            .map(|i| format!("IpAddr A{i:031}\n{{\nAddr ::\n}}\n"))
            .collect();
        format!(
            "{names}IpAddrGroup G\n{{\n{}}}\n",
            format!("IpAddrRef {}\n", "B".repeat(32)).repeat(n / 4)
        )
    });
    is_linear("filter rules", |n| {
        let rule = include_str!("fixtures/web.conf");
        (0..n / 20)
            .map(|i| rule.replace("InternalNetWeb", &format!("R{i}")))
            .collect()
    });
    is_linear("times", |n| {
        format!(
            "IpTimeCondition A\n{{\nTimeOfDayRange {}\n}}\n",
            "00:00-01:00,".repeat(n)
        )
    });
}
