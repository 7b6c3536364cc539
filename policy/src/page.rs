//! Reference pages in Markdown, written from the tables.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::diagnostic::CodeInfo;
use crate::schema::{
    Body, Choice, Discipline, Form, Multiplicity, Naming, Parameter, Place, Shape, Statement, Value,
};

/// The reference page of a discipline: each statement with a diagram and its parameters.
#[must_use]
pub fn page(discipline: &Discipline) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# {}\n", discipline.title);
    paragraph(&mut out, discipline.text);
    out.push_str(
        "Each statement and parameter stands on a line of its own, and so do `{` and `}`. `#` begins a comment. \
         Keywords may be written in capital or small letters; names may not. A name has at most 32 characters, \
         does not begin with `-` and contains no `,`. A parameter marked ° is written from descriptions that \
         were not confirmed in the manual: spelling, range or default may differ.\n",
    );
    for statement in discipline.statements {
        write_statement(&mut out, statement);
    }
    out
}

/// The page of diagnostics.
#[must_use]
pub fn codes_page(codes: &[CodeInfo]) -> String {
    let mut out = String::from(
        "# Messages about policies\n\n\
         A code that was once published keeps its number and meaning. Errors keep a policy from being installed;\n\
         warnings do so only with `--strict`.\n\n\
         | code | name | step | severity | meaning |\n|---|---|---|---|---|\n",
    );
    for info in codes {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            info.code, info.name, info.step, info.severity, info.text
        );
    }
    out
}

fn paragraph(out: &mut String, text: &str) {
    if !text.is_empty() {
        for (i, word) in text.split_whitespace().enumerate() {
            out.push_str(if i > 0 { " " } else { "" });
            out.push_str(word);
        }
        out.push_str("\n\n");
    }
}

fn mark(confirmed: bool) -> &'static str {
    if confirmed { "" } else { "°" }
}

fn write_statement(out: &mut String, statement: &Statement) {
    let _ = writeln!(
        out,
        "\n## {}{}\n",
        statement.name,
        mark(statement.confirmed)
    );
    paragraph(out, statement.meaning);
    diagram(out, statement);
    paragraph(out, statement.text);
    let mut facts = String::new();
    match statement.place {
        Place::Inline => facts.push_str("Stands only inside of other statements."),
        Place::Main => facts.push_str("Stands in the main file."),
        Place::Image => facts.push_str("Stands in an image file."),
        Place::MainOrImage => facts.push_str("Stands in the main file or an image file."),
        Place::Policy => {}
    }
    match statement.naming {
        Naming::OptionalInline => {
            facts.push_str(" Needs a name unless it is written inside another statement.")
        }
        Naming::Required => facts.push_str(" Needs a name."),
        Naming::None => {}
    }
    if statement.once {
        facts.push_str(" Counts once: of several the last.");
    }
    for (i, other) in statement.also.iter().enumerate() {
        let _ = write!(
            facts,
            "{} `{other}`",
            if i == 0 { " Also written" } else { "," }
        );
    }
    if !statement.also.is_empty() {
        facts.push('.');
    }
    if let Some(since) = statement.since {
        let _ = write!(facts, " Since z/OS {since}.");
    }
    paragraph(out, &facts);
    if matches!(statement.body, Body::Kept) {
        out.push_str("What it says is kept and not read.\n");
        return;
    }
    if statement.parameters.is_empty() {
        return;
    }
    out.push_str("| parameter | values | default | how often | meaning |\n|---|---|---|---|---|\n");
    for parameter in statement.parameters {
        row(out, statement, parameter);
    }
    let mut listed: Vec<&[Choice]> = Vec::new();
    for keyword in statement.parameters.iter().flat_map(|p| p.keywords) {
        if let Some(value) = keyword.form.value() {
            let name = match statement.body {
                Body::Line => statement.name,
                Body::Block | Body::Kept => keyword.name,
            };
            choices(out, name, value, &mut listed);
        }
    }
}

fn diagram(out: &mut String, statement: &Statement) {
    out.push_str("```text\n");
    if let Body::Line = statement.body {
        let keyword = statement
            .parameters
            .first()
            .and_then(|p| p.keywords.first());
        let syntax = keyword.and_then(|k| k.form.value()).map(Value::syntax);
        let _ = writeln!(out, "{} {}", statement.name, syntax.unwrap_or_default());
        out.push_str("```\n\n");
        return;
    }
    out.push_str(statement.name);
    out.push_str(match (statement.naming, statement.place) {
        (Naming::Required, _) => " name",
        (Naming::OptionalInline, _) => " [name]",
        (Naming::None, _) => "",
    });
    if matches!(statement.body, Body::Kept) {
        out.push_str(" …\n```\n\n");
        return;
    }
    out.push_str("\n{\n");
    for parameter in statement.parameters {
        let several = parameter.keywords.len() > 1;
        for (i, keyword) in parameter.keywords.iter().enumerate() {
            let lead = match (several, i) {
                (false, _) => "  ",
                (true, 0) => "  / ",
                (true, n) if n + 1 == parameter.keywords.len() => "  \\ ",
                (true, _) => "  | ",
            };
            let _ = write!(out, "{lead}{}", keyword.name);
            match keyword.form {
                Form::Line(v) => {
                    let _ = write!(out, " {}", v.syntax());
                }
                Form::Block(s) => out.push_str(block_syntax(s)),
                Form::LineOrBlock(v, s) => {
                    let lead = if several { "  | " } else { "  " };
                    let (syntax, block) = (v.syntax(), block_syntax(s));
                    let _ = write!(out, " {syntax}\n{lead}{}{block}", keyword.name);
                }
                Form::Reference(_) => out.push_str(" name"),
            }
            out.push('\n');
        }
    }
    out.push_str("}\n```\n\n");
}

fn block_syntax(statement: &Statement) -> &'static str {
    match statement.naming {
        Naming::Required => " name { … }",
        Naming::OptionalInline => " [name] { … }",
        Naming::None => " { … }",
    }
}

fn row(out: &mut String, statement: &Statement, parameter: &Parameter) {
    let line = matches!(statement.body, Body::Line);
    let mut names = String::new();
    let mut values = String::new();
    let mut statements: Vec<&str> = Vec::new();
    let (mut named, mut written) = (false, false);
    for (i, keyword) in parameter.keywords.iter().enumerate() {
        if i > 0 {
            names.push_str(", ");
        }
        let name = if line { statement.name } else { keyword.name };
        let _ = write!(names, "`{name}`");
        if let Some(value) = keyword.form.value() {
            let text = if line {
                format!("`{}`", value.syntax())
            } else {
                value.expected()
            };
            if !values.contains(&text) {
                values.push_str(if values.is_empty() { "" } else { "; " });
                values.push_str(&text);
            }
        }
        if let Form::Block(s) | Form::LineOrBlock(_, s) | Form::Reference(s) = keyword.form {
            named |= matches!(keyword.form, Form::Reference(_));
            written |= !matches!(keyword.form, Form::Reference(_));
            if !statements.contains(&s.name) {
                statements.push(s.name);
            }
        }
    }
    for (i, name) in statements.iter().enumerate() {
        values.push_str(match (i, values.is_empty()) {
            (0, true) => "",
            (0, false) => "; or ",
            _ => ", ",
        });
        let _ = write!(values, "`{name}`");
    }
    values.push_str(match (named, written) {
        (true, true) => ", by name or written out",
        (true, false) => ", by name",
        (false, true) => ", written out",
        (false, false) => "",
    });
    let default = match parameter.default {
        Some(default) => format!("`{default}`"),
        None => parameter.absent.into(),
    };
    let often = match parameter.multiplicity {
        Multiplicity::Required => "once",
        Multiplicity::Optional => "at most once",
        Multiplicity::List => "any number",
        Multiplicity::ListNotEmpty => "at least once",
    };
    let since = parameter
        .since
        .map_or_else(String::new, |s| format!(" Since z/OS {s}."));
    let _ = writeln!(
        out,
        "| {names}{} | {} | {default} | {often} | {}{since} |",
        mark(parameter.confirmed),
        values.replace('|', "\\|"),
        parameter.meaning,
    );
}

/// What the keywords of a value mean, each list once.
fn choices(out: &mut String, keyword: &str, value: &Value, listed: &mut Vec<&'static [Choice]>) {
    let list = match value.shape() {
        Shape::Choices(list) => list,
        Shape::OneOf(values) => {
            return values.iter().for_each(|v| choices(out, keyword, v, listed));
        }
        Shape::List(value) => return choices(out, keyword, value, listed),
        Shape::Plain | Shape::Sequence(_) | Shape::Optional(_) => return,
    };
    // Of two keywords there is nothing to say that the names do not.
    if list.len() < 3 || listed.iter().any(|l| core::ptr::eq(*l, list)) {
        return;
    }
    if listed.is_empty() {
        out.push('\n');
    }
    listed.push(list);
    let _ = write!(out, "* `{keyword}`:");
    for (i, choice) in list.iter().enumerate() {
        out.push_str(if i > 0 { ";" } else { "" });
        let _ = write!(out, " `{}`", choice.name);
        for also in choice.also {
            let _ = write!(out, ", `{also}`");
        }
        if !matches!(choice.then, Value::Nothing) {
            let _ = write!(out, " (`{}`)", choice.then.syntax());
        }
        let _ = write!(out, ": {}", choice.meaning.trim().trim_end_matches('.'));
    }
    out.push_str(".\n");
}

/// Every word of the language, each once, sorted: for fuzzing and for editors.
#[must_use]
pub fn words(disciplines: &[&Discipline]) -> BTreeSet<&'static str> {
    let mut out = BTreeSet::new();
    for statement in disciplines.iter().flat_map(|d| d.statements) {
        out.insert(statement.name);
        out.extend(statement.also);
        for keyword in statement.parameters.iter().flat_map(|p| p.keywords) {
            out.insert(keyword.name);
            if let Some(value) = keyword.form.value() {
                value_words(value, &mut out);
            }
        }
    }
    out
}

fn value_words(value: &Value, out: &mut BTreeSet<&'static str>) {
    match value.shape() {
        Shape::Plain => {}
        Shape::Choices(list) => {
            for choice in list {
                out.insert(choice.name);
                out.extend(choice.also);
                value_words(choice.then, out);
            }
        }
        Shape::Sequence(values) | Shape::OneOf(values) => {
            values.iter().for_each(|v| value_words(v, out));
        }
        Shape::Optional(value) | Shape::List(value) => value_words(value, out),
    }
}
