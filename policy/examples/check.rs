//! Checks files, prints the messages, and with `--format` the canonical layout.
use hostward_policy::{Diagnostics, Language, Policy, Sources, Style, format, render_all};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let language = Language::full()?;
    let mut sources = Sources::new();
    let mut layout = false;
    for name in std::env::args().skip(1) {
        if name == "--format" {
            layout = true;
        } else {
            sources.add(name.as_str(), std::fs::read(&name)?)?;
        }
    }
    let mut messages = Diagnostics::default();
    let policy = Policy::read(&language, &sources, &mut messages);
    messages.sort();
    print!("{}", render_all(&messages, &sources, Style::Plain));
    for (id, source) in sources.iter() {
        println!("{}: {:?}", source.name(), policy.kind(id));
        if layout {
            print!("{}", format(&language, &sources, id)?);
        }
    }
    Ok(())
}
