//! Hostile texts: memory bounded, no deep stack.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod support;

use hostward_policy::{Diagnostics, Policy, Style, render_all};
use support::{language, sources};

/// Reads a long text, which may take not more than 50 times its length in memory and must end
/// with few messages. What it takes in time, `examples/measure.rs` tells.
fn is_bounded(name: &str, text: impl Fn(usize) -> String) {
    let language = language();
    let long = text(40_000);
    let sources = sources(&[&long]);
    let memory = allocation_counter::measure(|| {
        let mut out = Diagnostics::new(100);
        drop(Policy::read(&language, &sources, &mut out));
        out.sort();
        let told = render_all(&out, &sources, Style::Plain);
        assert!(told.len() < 1 << 20, "{name}");
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
fn memory_and_messages_are_bounded() {
    is_bounded("open braces", |n| "{\n".repeat(n));
    is_bounded("open braces on one line", |n| "{".repeat(n));
    is_bounded("braces on one line", |n| "{}".repeat(n));
    is_bounded("closing braces", |n| "}\n".repeat(n));
    is_bounded("blocks in blocks", |n| "IpFilterPolicy\n{\n".repeat(n));
    is_bounded("blocks in blocks, indented to the left", |n| {
        (0..n)
            .map(|i| format!("{}IpFilterPolicy\n{{\n", " ".repeat(30 - i % 30)))
            .collect()
    });
    is_bounded("one long line", |n| "a ".repeat(n));
    is_bounded("one long word", |n| "a".repeat(n));
    is_bounded("one long comment", |n| "#".repeat(n));
    is_bounded("empty lines", |n| "\n".repeat(n));
    is_bounded("byte order marks", |n| "\u{feff}".repeat(n));
    is_bounded("carriage returns", |n| "\r".repeat(n));
    is_bounded("misspelt statements", |n| "IpFilterRul A\n".repeat(n));
    is_bounded("misspelt values", |n| {
        format!("IpService A\n{{\n{}}}\n", "Protocol tpc\n".repeat(n))
    });
    is_bounded("one parameter", |n| {
        format!("IpService A\n{{\n{}}}\n", "Protocol tcp\n".repeat(n))
    });
    is_bounded("one name", |n| "IpAddr A\n{\nAddr ::\n}\n".repeat(n / 4));
    is_bounded("many names", |n| {
        (0..n / 4)
            .map(|i| format!("IpAddr A{i}\n{{\nAddr ::\n}}\n"))
            .collect()
    });
    is_bounded("references to one name", |n| {
        format!(
            "IpAddr A\n{{\nAddr ::\n}}\nIpAddrGroup G\n{{\n{}}}\n",
            "IpAddrRef A\n".repeat(n)
        )
    });
    is_bounded("unresolved references", |n| {
        let names: String = (0..n / 4)
            .map(|i| format!("IpAddr A{i}\n{{\nAddr ::\n}}\n"))
            .collect();
        format!(
            "{names}IpAddrGroup G\n{{\n{}}}\n",
            "IpAddrRef B\n".repeat(n / 4)
        )
    });
    is_bounded("files of one kind and another", |n| {
        "LogLevel 1\nIpAddr A\n{\n}\n".repeat(n / 4)
    });
    is_bounded("unresolved references with many names like them", |n| {
        let names: String = (0..n / 4)
            .map(|i| format!("IpAddr A{i:031}\n{{\nAddr ::\n}}\n"))
            .collect();
        format!(
            "{names}IpAddrGroup G\n{{\n{}}}\n",
            format!("IpAddrRef {}\n", "B".repeat(32)).repeat(n / 4)
        )
    });
    is_bounded("filter rules", |n| {
        let rule = include_str!("fixtures/web.conf");
        (0..n / 20)
            .map(|i| rule.replace("InternalNetWeb", &format!("R{i}")))
            .collect()
    });
    is_bounded("times", |n| {
        format!(
            "IpTimeCondition A\n{{\nTimeOfDayRange {}\n}}\n",
            "00:00-01:00,".repeat(n)
        )
    });
}
