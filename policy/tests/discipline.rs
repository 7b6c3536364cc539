//! A language of one's own: statements that may contain themselves, and tables that contradict
//! each other.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod support;

use hostward_policy::{
    Diagnostics, Discipline, Keyword, Language, Parameter, Policy, SchemaError, Statement, Value,
};
use support::{codes_of, sources};

mod zones {
    use hostward_policy::{Family, Keyword, Parameter, Value};

    static NUMBER: Value = Value::Number {
        min: 1,
        max: 9,
        unit: "metres",
    };

    static FOUR: Value = Value::Address(Family::V4);
    static SIX: Value = Value::Prefix(Family::V6);

    hostward_policy::statements! {
        /// A zone.
        zone: ZONE = Statement::new("Zone", "A zone.") {
            ZONES = Parameter::new(&[Keyword::reference("ZoneRef", &ZONE), Keyword::block("Zone", &ZONE)], "Zones inside.").list(),
            WIDTH = Parameter::new(&[Keyword::line("Width", &NUMBER)], "How wide.").default("3"),
        }

        /// Places where one IP version fits.
        place: PLACE = Statement::new("Place", "A place.") {
            FOUR = Parameter::new(&[Keyword::line("Four", &FOUR)], "An address."),
            SIX = Parameter::new(&[Keyword::line("Six", &SIX)], "A prefix."),
        }

        /// A bad default.
        wrong: WRONG = Statement::new("Wrong", "Nothing.") {
            WIDTH = Parameter::new(&[Keyword::line("Width", &NUMBER)], "How wide.").default("33"),
        }
    }
}

const fn discipline(statements: &'static [&'static Statement]) -> Discipline {
    Discipline {
        name: "zones",
        title: "Zones",
        file: "a file of zones",
        text: "",
        statements,
        codes: &[],
    }
}

static ZONES: Discipline = discipline(&[&zones::ZONE, &zones::PLACE]);
static WRONG: Discipline = discipline(&[&zones::WRONG]);
static TWICE: Statement = Statement::new("Twice", "One keyword for two things.", &[A, A]);
const A: Parameter = Parameter::new(&[Keyword::line("A", &Value::Name)], "A.");
static DOUBLE: Discipline = discipline(&[&TWICE]);
static SECOND: Statement = Statement::new("zONE", "Another.", &[]);
static AMBIGUOUS: Discipline = discipline(&[&zones::ZONE, &SECOND]);

#[test]
fn circles_are_found_once_and_broken() {
    let language = Language::new(&[&ZONES]).unwrap();
    let texts = [
        "Zone A\n{\nZoneRef B\n}\nZone B\n{\nZone\n{\nZoneRef A\n}\nZoneRef C\n}\nZone C\n{\nZoneRef C\n}\nZone D\n{\nZoneRef A\n}\n",
    ];
    let sources = sources(&texts);
    assert_eq!(codes_of(&language, &sources), ["9:9 P0210", "15:9 P0210"]);
    let policy = Policy::read(&language, &sources, &mut Diagnostics::default());
    // Whoever follows references comes to an end.
    let mut count = 0;
    let mut open: Vec<_> = policy.statements(&zones::ZONE).collect();
    while let Some(zone) = open.pop() {
        count += 1;
        open.extend(zone.objects(zones::zone::ZONES));
    }
    assert!(count < 20);
    assert_eq!(
        policy
            .statements(&zones::ZONE)
            .next()
            .unwrap()
            .number(zones::zone::WIDTH),
        Some(3)
    );
}

#[test]
fn a_long_chain_needs_no_stack() {
    let mut text = String::new();
    for i in 0..100_000 {
        text.push_str(&format!(
            "Zone Z{i}\n{{\nZoneRef Z{}\n}}\n",
            (i + 1) % 100_000
        ));
    }
    let language = Language::new(&[&ZONES]).unwrap();
    assert_eq!(codes_of(&language, &sources(&[&text])).len(), 1);
}

#[test]
fn tables_that_contradict_each_other_are_refused() {
    assert_eq!(
        Language::new(&[&WRONG]).unwrap_err(),
        SchemaError::Default("Width")
    );
    assert_eq!(
        Language::new(&[&AMBIGUOUS]).unwrap_err(),
        SchemaError::Ambiguous("zONE")
    );
    assert_eq!(
        Language::new(&[&DOUBLE]).unwrap_err(),
        SchemaError::Ambiguous("A")
    );
    assert!(Language::full().is_ok());
}

#[test]
fn addresses_of_the_other_version_are_told() {
    let language = Language::new(&[&ZONES]).unwrap();
    let place = |line: &str| {
        codes_of(
            &language,
            &sources(&[&format!("Place A\n{{\n{line}\n}}\n")]),
        )
    };
    assert_eq!(place("Four 1.2.3.4"), [""; 0]);
    assert_eq!(place("Four ::1"), ["3:6 P0122"]);
    assert_eq!(place("Six ::1/64"), [""; 0]);
    assert_eq!(place("Six 1.2.3.4/24"), ["3:5 P0122"]);
}
